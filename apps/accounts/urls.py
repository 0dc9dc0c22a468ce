"""Logging in, passwords and one's own account."""

from django.contrib.auth import views as auth_views
from django.urls import URLPattern, URLResolver, path

from apps.accounts import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.account, name="account"),
    path("name/", views.rename, name="account_name"),
    path("language/", views.choose_language, name="account_language"),
    path("tokens/", views.make_token, name="token_make"),
    path("tokens/<slug:key>/revoke/", views.revoke_token, name="token_revoke"),
    path("login/", views.LogIn.as_view(), name="login"),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("password/change/", views.ChangePassword.as_view(), name="password_change"),
    path("password/forgotten/", views.ForgottenPassword.as_view(), name="password_reset"),
    path("password/forgotten/sent/", auth_views.PasswordResetDoneView.as_view(), name="password_reset_done"),
    path("password/set/<uidb64>/<token>/", views.SetPassword.as_view(), name="password_reset_confirm"),
    path(
        "password/set/done/", auth_views.PasswordResetCompleteView.as_view(), name="password_reset_complete"
    ),
]
