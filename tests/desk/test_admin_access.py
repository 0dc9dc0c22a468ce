"""Who may open which admin page: every page that is registered, now or later, asked as everybody.

The pages are found in the registry; an object of each house is made for every model whose objects belong to
houses (its manager has `visible_to`), so that a new app is covered without a change here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db import models
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from model_bakery import baker
from unfold.admin import ModelAdmin

from apps.accounts.models import User
from apps.alerts.models import Alert
from apps.houses.models import House
from apps.meters.models import DeviceClass, UnclaimedLogger
from tests.people import AsUser

baker.generators.add("apps.devices.fields.EncryptedJSONField", lambda: "")

INLINE_SCRIPT = r"""<script(?![^>]*\ssrc=)(?![^>]*type="application/json")[^>]*>"""
INLINE_CODE = re.compile(INLINE_SCRIPT + r"""|\son[a-z]+\s*=\s*["']|["']javascript:""", re.IGNORECASE)
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
SCOPED = [model for model in MODELS if hasattr(model._default_manager, "visible_to")]
SHARED: list[type[models.Model]] = [DeviceClass, UnclaimedLogger]  # of no house, for all operators to see
UNSCOPED = [model for model in MODELS if model not in [*SCOPED, *SHARED]]


def label(model: type[models.Model]) -> str:
    return model._meta.label


every_model = pytest.mark.parametrize("model", MODELS, ids=label)
every_scoped_model = pytest.mark.parametrize("model", SCOPED, ids=label)


def url(model: type[models.Model], page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def pages(model: type[models.Model], pk: object) -> Iterator[str]:
    """Every page about the model and the object, but for its actions."""
    yield from (url(model, "changelist"), url(model, "add"))
    yield from object_pages(model, pk)


def object_pages(model: type[models.Model], pk: object) -> Iterator[str]:
    yield from (url(model, page, quote(pk)) for page in ("change", "history", "delete"))
    if (history := getattr(model, "history", None)) and (
        version := history.filter(**{model._meta.pk.name: pk}).first()
    ):
        yield url(model, "simple_history", quote(pk), version.pk)


def detail_actions(model: type[models.Model], pk: object) -> list[str]:
    page: Any = admin.site._registry[model]
    names = [*page._extract_action_names(page.actions_detail), *page._extract_action_names(page.actions_row)]
    return [url(model, name, quote(pk)) for name in names]


def list_actions(model: type[models.Model]) -> list[str]:
    page: Any = admin.site._registry[model]
    return [url(model, name) for name in page._extract_action_names(page.actions_list)]


def own_pages(model: type[models.Model], found: Any, house: House) -> list[str]:
    """The pages that this admin alone has. One whose address asks for something new fails here."""
    page: Any = admin.site._registry[model]
    stock = {pattern.name for pattern in ModelAdmin(model, admin.site).get_urls()} | {
        f"{model._meta.app_label}_{model._meta.model_name}_simple_history"
    }
    actions = {
        action.action_name for action in page._get_base_actions_detail() + page._get_base_actions_row()
    }
    actions |= {action.action_name for action in page._get_base_actions_list()}
    return [
        reverse(f"admin:{pattern.name}", kwargs=_filled(pattern, found, house))
        for pattern in page.get_urls()
        if pattern.name and pattern.name not in stock | actions
    ]


def _filled(pattern: Any, found: Any, house: House) -> dict[str, Any]:
    known = {"object_id": quote(found.pk), "house_id": house.pk, "layout_id": 1}
    return {name: known[name] for name in pattern.pattern.converters}


def object_of(model: type[models.Model], house: House) -> Any:
    """An object of `model` with all it needs, in `house` if its objects belong to houses."""
    if model is House:
        return house
    if model is User:
        return User.objects.create_user(f"{baker.random_gen.gen_slug(20).lower()}@example.com")
    if model is PeriodicTask:
        return baker.make(model, interval=baker.make(IntervalSchedule), args="[]", kwargs="{}")
    people = {field.name: object_of(User, house) for field in _links(model) if field.related_model is User}
    own = {"key": baker.random_gen.gen_slug(20)} if model is Alert else {}  # one of a kind is open at a time
    return baker.make(model, **people, **own, **(_way_to(model, house) if model in SCOPED else {}))


def _links(model: type[models.Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if field.related_model and not field.null]


def _way_to(model: type[models.Model], house: House) -> dict[str, Any]:
    """What ties an object of `model` to the house: by itself, through what it hangs on, or whose it is."""
    for field in model._meta.concrete_fields:
        if field.related_model is House:
            return {field.name: house}
    for field in _links(model):
        if hasattr(field.related_model._default_manager, "visible_to"):
            return {field.name: object_of(field.related_model, house)}
    for field in model._meta.concrete_fields:
        if field.related_model is User:
            return {field.name: house.members.first() or object_of(User, house)}
    raise AssertionError(f"{label(model)} is visible to some, but nothing in it leads to a house.")


def statuses(client: Client, urls: Iterator[str] | list[str]) -> dict[str, int]:
    return {address: client.get(address).status_code for address in urls}


def test_there_is_something_to_test() -> None:
    assert House in SCOPED
    assert User in UNSCOPED


@pytest.mark.django_db
def test_an_anonymous_visitor_is_sent_to_the_log_in_and_back(client: Client) -> None:
    for address in [reverse("admin:index"), url(House, "changelist"), "/admin/nonsense/"]:
        assert client.get(address)["Location"] == f"/accounts/login/?next={address}"
    assert client.get("/admin/login/?next=/admin/")["Location"] == "/accounts/login/?next=/admin/"
    assert client.get("/admin/login/")["Location"] == "/accounts/login/?next=/admin/"


@every_model
@pytest.mark.django_db
def test_an_anonymous_visitor_opens_nothing(client: Client, model: type[models.Model]) -> None:
    for address in [*pages(model, 1), *detail_actions(model, 1)]:
        response = client.get(address)
        assert (response.status_code, response["Location"]) == (302, f"/accounts/login/?next={address}")


@every_model
def test_homeowners_and_analysts_have_no_admin(
    bob: User, ann: User, as_user: AsUser, model: type[models.Model]
) -> None:
    for user in (bob, ann):
        found = statuses(as_user(user), [*pages(model, 1), *detail_actions(model, 1), reverse("admin:index")])
        assert set(found.values()) == {403}, found


@every_model
def test_what_only_this_admin_has_is_guarded_as_well(
    alice: User, bob: User, ann: User, house_a: House, house_b: House, as_user: AsUser, model: Any
) -> None:
    foreign = object_of(model, house_b)
    addresses = [*own_pages(model, foreign, house_b), *list_actions(model)]
    for address in addresses:
        assert Client().get(address)["Location"] == f"/accounts/login/?next={address}"
    for user in (bob, ann):
        assert set(statuses(as_user(user), addresses).values()) <= {403}
    own = own_pages(model, foreign, house_b)
    assert set(statuses(as_user(alice), own).values()) <= {403, 404}


@every_scoped_model
def test_an_operator_finds_what_is_of_their_house_and_not_a_trace_of_others(
    alice: User, house_a: House, house_b: House, as_user: AsUser, model: type[models.Model]
) -> None:
    own, foreign = object_of(model, house_a), object_of(model, house_b)
    client = as_user(alice)
    if client.get(url(model, "changelist")).status_code == 403:
        assert client.get(url(model, "change", quote(own.pk))).status_code == 403
        return
    assert client.get(url(model, "change", quote(own.pk))).status_code == 200
    rows = client.get(url(model, "changelist")).context["cl"].queryset
    assert own in rows
    assert foreign not in rows


@every_scoped_model
def test_what_is_of_another_house_does_not_exist_for_an_operator(
    alice: User, house_a: House, house_b: House, as_user: AsUser, model: type[models.Model]
) -> None:
    foreign = object_of(model, house_b)
    client = as_user(alice)
    found = statuses(client, [*object_pages(model, foreign.pk), *detail_actions(model, foreign.pk)])
    assert set(found.values()) <= {403, 404}, found
    if client.get(url(model, "changelist")).status_code == 200:
        assert found[url(model, "change", quote(foreign.pk))] == 404
    before = model._default_manager.filter(pk=foreign.pk).values().get()
    for address in detail_actions(model, foreign.pk):
        assert client.post(address, {"_form_submitted": "on"}).status_code in {403, 404}
    assert client.post(url(model, "change", quote(foreign.pk)), {}).status_code in {403, 404}
    assert model._default_manager.filter(pk=foreign.pk).values().get() == before


@every_scoped_model
def test_the_changelist_names_no_other_house_not_even_in_filters_and_choices(
    alice: User, house_a: House, house_b: House, as_user: AsUser, model: type[models.Model]
) -> None:
    object_of(model, house_a), object_of(model, house_b)
    client = as_user(alice)
    for page in ("changelist", "add"):
        response = client.get(url(model, page))
        if response.status_code == 200:
            text = response.content.decode()
            assert "House B" not in text
            assert "house-b" not in text


@pytest.mark.parametrize("model", UNSCOPED, ids=label)
def test_people_and_machinery_are_the_administrators_business(
    alice: User, as_user: AsUser, model: type[models.Model]
) -> None:
    found = statuses(as_user(alice), [url(model, "changelist"), url(model, "add"), url(model, "change", 1)])
    assert set(found.values()) <= {403, 404}, found


@pytest.mark.parametrize("model", SHARED, ids=label)
def test_what_is_of_no_house_operators_see_and_do_not_edit(
    alice: User, house_a: House, as_user: AsUser, model: type[models.Model]
) -> None:
    existing = object_of(model, house_a)
    client = as_user(alice)
    assert client.get(url(model, "changelist")).status_code == 200
    assert client.get(url(model, "change", existing.pk)).status_code == 200
    found = statuses(client, [url(model, "add"), url(model, "delete", existing.pk)])
    assert set(found.values()) == {403}, found
    assert client.post(url(model, "change", existing.pk), {}).status_code == 403


@every_model
def test_an_administrator_opens_every_page_that_is_there(
    admin: User, house_a: House, as_user: AsUser, model: type[models.Model]
) -> None:
    existing = object_of(model, house_a)
    client = as_user(admin)
    found = statuses(client, pages(model, existing.pk))
    assert found[url(model, "changelist")] == found[url(model, "change", quote(existing.pk))] == 200, found
    assert set(found.values()) <= {200, 403}, found  # 403: what nobody may add or delete
    assert set(statuses(client, detail_actions(model, existing.pk)).values()) <= {200}


@every_model
def test_an_object_that_is_not_there_is_404_and_not_a_redirect(
    admin: User, as_user: AsUser, model: type[models.Model]
) -> None:
    if model in SCOPED:
        assert as_user(admin).get(url(model, "change", 999_999)).status_code == 404


@every_model
def test_every_page_keeps_the_content_security_policy(
    admin: User, house_a: House, as_user: AsUser, model: type[models.Model]
) -> None:
    existing = object_of(model, house_a)
    client = as_user(admin)
    for address in pages(model, existing.pk):
        response = client.get(address)
        if response.status_code == 200:
            assert inline_code(response.content.decode()) == [], address


def inline_code(page: str) -> list[str]:
    """What the policy would not run: scripts in the page, handlers in attributes, javascript: addresses."""
    return INLINE_CODE.findall(page)


def test_the_sidebar_links_to_what_one_may_open_and_nothing_else(
    alice: User, admin: User, as_user: AsUser
) -> None:
    for user in (alice, admin):
        client = as_user(user)
        groups = client.get(reverse("admin:index")).context["sidebar_navigation"]
        links = [item["link"] for group in groups for item in group["items"]]
        assert set(statuses(client, links).values()) == {200}
        expected = MODELS if user == admin else [House]
        assert {url(model, "changelist") for model in expected} <= set(links)


@pytest.mark.parametrize(
    "query",
    [
        "devices/device/?type=%00",
        "readings/series/?kind__exact=a%00b",
        "autocomplete/?app_label=houses&model_name=membership&field_name=user&term=%00",
    ],
)
def test_a_query_that_no_column_can_hold_is_a_bad_request(admin: User, as_user: AsUser, query: str) -> None:
    assert as_user(admin).get(f"/admin/{query}").status_code == 400


def test_nobody_may_delete_houses_or_people(admin: User, house_a: House, bob: User, as_user: AsUser) -> None:
    client = as_user(admin)
    for thing in (house_a, bob):
        assert client.post(url(type(thing), "delete", thing.pk), {"post": "yes"}).status_code == 403
        thing.refresh_from_db()


def test_pages_that_nobody_needs_are_gone() -> None:
    for name in ("auth_group", "django_celery_beat_solarschedule", "django_celery_beat_clockedschedule"):
        with pytest.raises(NoReverseMatch):
            reverse(f"admin:{name}_changelist")


def test_logging_out_of_the_admin_leads_to_the_one_log_in_page(alice: User, as_user: AsUser) -> None:
    client = as_user(alice)
    assert client.post(reverse("admin:logout"))["Location"] == "/accounts/login/"
    assert client.get(reverse("admin:index")).status_code == 302


def test_changing_the_password_is_the_one_page_for_it(alice: User, as_user: AsUser) -> None:
    response = as_user(alice).get(reverse("admin:password_change"))
    assert response["Location"] == reverse("password_change")


def test_the_admin_search_finds_only_pages_one_may_open(alice: User, as_user: AsUser) -> None:
    client = as_user(alice)
    assert "/admin/houses/house/" in client.get("/admin/search/?s=house").content.decode()
    assert "/admin/accounts/" not in client.get("/admin/search/?s=user").content.decode()
