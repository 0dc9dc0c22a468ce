"""Every change to analytics items, for the admin, the API and commands alike.

Changes of one house's items wait for each other, so that no two of them together close a cycle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.accounts.models import User
from apps.analytics import definitions, keeping, removal, required
from apps.analytics.definitions import Definition
from apps.analytics.formula.errors import FormulaError
from apps.analytics.models import AnalyticsItem
from apps.houses.models import House
from apps.jobs.models import Job


@transaction.atomic
def create_item(
    *,
    house: House,
    name: str,
    formula: str,
    label: str = "",
    description: str = "",
    quantity: str = "",
    unit: str = "",
    role: str = "",
    aggregate: bool = False,
    by: User | None = None,
) -> AnalyticsItem:
    """Save an item and, with `aggregate`, keep its results: see `aggregate_on`.

    Raises ValidationError naming the field; of a formula it says the column.
    """
    _hold(house)
    item = AnalyticsItem(
        house=house,
        name=name,
        formula=formula,
        label=label,
        description=description,
        quantity=quantity,
        unit=unit,
        role=role,
    )
    validate(item=item)
    _save(item, by, "created")
    if aggregate:
        aggregate_on(item=item, by=by)
    return item


@transaction.atomic
def edit_item(
    *,
    item: AnalyticsItem,
    formula: str | None = None,
    label: str | None = None,
    description: str | None = None,
    quantity: str | None = None,
    unit: str | None = None,
    role: str | None = None,
    by: User | None = None,
) -> AnalyticsItem:
    """Save what is given and return the item as it then is; its name never changes.

    Another formula is another version: jobs compute the kept days of the item, and of those above it, again.
    Raises ValidationError naming the field.
    """
    item = _locked(item)
    given = {
        "formula": formula,
        "label": label,
        "description": description,
        "quantity": quantity,
        "unit": unit,
        "role": role,
    }
    changes = {field: value for field, value in given.items() if value not in (None, getattr(item, field))}
    if not changes:
        return item
    for field, value in changes.items():
        setattr(item, field, value)
    validate(item=item)
    item.version += "formula" in changes
    _save(item, by, None)
    if changes.keys() & {"formula", "unit", "quantity"}:
        _follow(item, by, computed="formula" in changes)
    return item


@transaction.atomic
def aggregate_on(*, item: AnalyticsItem, by: User | None = None) -> Job | None:
    """Keep the results of `item` as source `analytics.<name>`, and start the job that computes its days.

    Called again, it goes on with the days that a stopped job left. Returns None when nothing is left to do.
    Raises ValidationError where its formula reaches events, or further than results are kept for, and while
    its results are being removed.
    """
    item = _locked(item)
    if removal.under_way(item):
        raise ValidationError("Its results are being removed; wait until that job has ended.")
    definition = _defined(item)
    if refusal := definition.refusal:
        raise ValidationError(refusal)
    if not item.aggregated:
        item.aggregated = True
        keeping.begin(item, definition)
        _save(item, by, "continuous aggregation on")
    return keeping.populate(item, by)


@transaction.atomic
def aggregate_off(*, item: AnalyticsItem, by: User | None = None) -> Job | None:
    """Keep no results of `item` any more, and start the job that removes what is kept.

    Formulas that use it go on as before: they never read its results. A removal that was stopped is gone on
    with. Returns None when nothing is kept.
    """
    item = _locked(item)
    if item.aggregated:
        item.aggregated = False
        keeping.end(item, by)
        _save(item, by, "continuous aggregation off")
    return removal.start(item, by) if item.source_id else None


@transaction.atomic
def delete_item(*, item: AnalyticsItem, by: User | None = None) -> Job | None:
    """Delete `item`; where its results are kept, by a job, which is returned.

    Raises ValidationError naming the items whose formulas use it.
    """
    item = _locked(item)
    if users := definitions.direct_users(item):
        raise ValidationError(f"{_listed(users)} use it: change their formulas first.")
    if item.source_id is None:
        _note(item, by, "deleted")
        item.delete()
        return None
    if item.aggregated:
        item.aggregated = False
        keeping.end(item, by)
        _save(item, by, "deletion begun")
    return removal.start(item, by, with_item=True)


@transaction.atomic
def create_required(*, house: House, by: User | None = None) -> list[AnalyticsItem]:
    """Create what is missing of the sixteen required items and can be made of the house's devices.

    What exists stays as it is; those that the dashboards read for long times keep their results.
    """
    _hold(house)
    return [
        create_item(
            house=house,
            name=one.required.name,
            formula=one.formula,
            label=one.required.label,
            quantity=one.required.quantity,
            unit=one.required.unit,
            role=one.required.role,
            aggregate=one.required.aggregate,
            by=by,
        )
        for one in required.plan(house)
        if one.is_made
    ]


def validate(*, item: AnalyticsItem) -> Definition:
    """What the formula of `item`, saved or not, means. Raises ValidationError naming the field."""
    if item._state.adding and AnalyticsItem.objects.filter(house=item.house, name=item.name).exists():
        raise ValidationError({"name": "This house has an item of this name already."})
    item.full_clean(exclude=["source"])
    definition = _defined(item)
    if item.aggregated and definition.refusal:
        raise ValidationError(
            {"formula": f"{definition.refusal} Switch its continuous aggregation off to use this formula."}
        )
    for above in definitions.users(item) if item.pk else []:
        _check_above(above, item)
    return definition


def _check_above(above: AnalyticsItem, item: AnalyticsItem) -> None:
    """Raise ValidationError where an item that works would no longer do so with the new formula of `item`."""
    try:
        refusal = definitions.define(above, item).refusal
    except FormulaError as error:
        if _works(above):
            raise ValidationError({"formula": f"analytics.{above.name} uses it. {error.message}"}) from None
        return
    if refusal and above.aggregated:
        raise ValidationError(
            {"formula": f"analytics.{above.name}, whose results are kept, uses it. {refusal}"}
        )


def _works(item: AnalyticsItem) -> bool:
    try:
        definitions.define(item)
    except FormulaError:
        return False
    return True


def _defined(item: AnalyticsItem) -> Definition:
    try:
        return definitions.define(item)
    except FormulaError as error:
        raise ValidationError({"formula": str(error)}) from None


def _follow(item: AnalyticsItem, by: User | None, *, computed: bool) -> None:
    """Have what is kept of the item, and of those above it, follow its change."""
    if item.aggregated:
        keeping.describe(item, definitions.define(item))
    for one in affected(item) if computed else []:
        try:
            definition = definitions.define(one)
        except FormulaError:  # one above that did not work before either
            continue
        keeping.begin(one, definition)
        keeping.populate(one, by)


def affected(item: AnalyticsItem) -> Sequence[AnalyticsItem]:
    """The items whose kept results depend on the formula of `item`, itself first."""
    return [one for one in [item, *definitions.users(item)] if one.aggregated]


def _hold(house: House) -> None:
    House.objects.select_for_update(no_key=True).get(pk=house.pk)


def _locked(item: AnalyticsItem) -> AnalyticsItem:
    """The item as it is now; no item of its house is changed by others until the transaction ends."""
    _hold(item.house)
    return AnalyticsItem.objects.select_related("house", "source").get(pk=item.pk)


def _save(item: AnalyticsItem, by: User | None, reason: str | None) -> None:
    _note(item, by, reason)
    item.save()


def _note(item: AnalyticsItem, by: User | None, reason: str | None) -> None:
    """Who, and what, for the history."""
    noted: Any = item
    noted._history_user, noted._change_reason = by, reason


def _listed(items: Iterable[AnalyticsItem]) -> str:
    return ", ".join(f"analytics.{one.name}" for one in items)
