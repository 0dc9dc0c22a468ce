"""The houses a person may know of."""

from __future__ import annotations

from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.errors import described
from apps.accounts.queries import Query, no_parameters
from apps.houses.models import House

MAX_HOUSES = 1000  # in one answer


class Position(serializers.Serializer[Any]):
    """Degrees north and east."""

    latitude = serializers.FloatField()
    longitude = serializers.FloatField()


class HouseAnswer(serializers.ModelSerializer[House]):
    """A metered place. `time_zone` is the calendar that bins and days follow; `position` may be unknown."""

    position = serializers.SerializerMethodField()

    class Meta:
        model = House
        fields: ClassVar = ["id", "name", "label", "description", "time_zone", "position", "enabled"]

    @extend_schema_field(Position(allow_null=True))
    def get_position(self, house: House) -> dict[str, float] | None:
        if house.latitude is None or house.longitude is None:
            return None
        return {"latitude": house.latitude, "longitude": house.longitude}


class HousePage(Query):
    """Which part of a list of houses."""

    limit = serializers.IntegerField(min_value=1, max_value=MAX_HOUSES, default=MAX_HOUSES)
    offset = serializers.IntegerField(min_value=0, max_value=2**31, default=0)


def visible_house(request: Request, house_id: int) -> House:
    """The house, or Http404 for everybody who may not know of it."""
    return get_object_or_404(House.objects.visible_to(request.user), pk=house_id)


class HousesView(APIView):
    """The list of houses."""

    @extend_schema(
        summary="List houses",
        parameters=[HousePage],
        responses={200: HouseAnswer(many=True), **described(400, 401)},
    )
    def get(self, request: Request) -> Response:
        """Those you may see: your own, or for an administrator all."""
        page = HousePage(data=request.query_params)
        page.is_valid(raise_exception=True)
        first, count = page.validated_data["offset"], page.validated_data["limit"]
        houses = House.objects.visible_to(request.user)[first : first + count]
        return Response(HouseAnswer(houses, many=True).data)


class HouseView(APIView):
    """One house."""

    @extend_schema(summary="Show a house", responses={200: HouseAnswer, **described(400, 401, 404)})
    def get(self, request: Request, house_id: int) -> Response:
        """What is on record of a house."""
        house = visible_house(request, house_id)
        no_parameters(request)
        return Response(HouseAnswer(house).data)
