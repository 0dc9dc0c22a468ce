"""Addresses."""

from django.urls import URLPattern, URLResolver, path

from apps.devices import api
from apps.devices.events_api import EventsView

urlpatterns: list[URLPattern | URLResolver] = [
    path("houses/<int:house_id>/events/", EventsView.as_view()),
    path("edge/readings/", api.Readings.as_view(), name="edge_readings"),
    path("edge/config/", api.Config.as_view(), name="edge_config"),
    path("edge/config/ack/", api.ConfigAck.as_view(), name="edge_config_ack"),
    path("edge/commands/", api.Commands.as_view(), name="edge_commands"),
    path("edge/commands/<int:command_id>/result/", api.CommandResult.as_view(), name="edge_command_result"),
]
