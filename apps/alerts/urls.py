"""Addresses about alerts."""

from django.urls import path

from apps.alerts import views

urlpatterns = [path("mails/", views.alert_mails, name="alert_mails")]
