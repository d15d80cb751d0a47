"""Whom a task must run with and whom it must keep away from, as sites: by what stands now and by the batch so far."""

from dataclasses import replace

from suanwang.model.placements import Placements, bears
from suanwang.plan.ask import PlanAsk
from suanwang.plan.need import Need


def in_company(need: Need, ask: PlanAsk, views: tuple[Placements, ...]) -> Need:
    """The need with the sites that `together_with` leaves it and those that `apart_from` rules out.

    Apart goes both ways: a task is also kept from those that keep from it. The first of a group that wants to be
    together (its own tags are those that it names) may go anywhere.
    """
    request = ask.request
    if request.apart_from or request.tags:
        apart = frozenset(
            site
            for view in views
            for site in (
                *(view.sites_bearing(ask.tenant, request.apart_from, ask.task_id) if request.apart_from else ()),
                *view.sites_wary_of(ask.tenant, request.tags, ask.task_id),
            )
        )
        need = replace(need, apart=apart) if apart else need
    if request.together_with:
        sites = [view.sites_bearing(ask.tenant, request.together_with, ask.task_id) for view in views]
        together = frozenset().union(*sites)
        if together or not bears(request.tags, request.together_with):
            need = replace(need, together=together)
    return need


def alone(need: Need) -> Need:
    """The need as it would be if no other task were there."""
    return replace(need, together=None, apart=frozenset()) if need.apart or need.together is not None else need
