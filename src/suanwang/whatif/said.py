"""A change in words: one text a change."""

from collections.abc import Iterator

from suanwang.model.change import Changes, TenantChange
from suanwang.model.units import show_span, show_yuan
from suanwang.model.what_if import Said


def said(changes: Changes) -> Iterator[Said]:
    """What is different after, in the order of the file. Nothing: the day is the same."""
    for site in changes.sites.remove:
        yield _say("site_removed", site=site)
    for site, factor in changes.sites.scale.items():
        yield _say("site_scaled", site=site, factor=f"{factor:g}")
    for one in changes.sites.add:
        yield _say("site_added", site=one.id)
    for pool in changes.pools.remove:
        yield _say("pool_removed", pool=pool)
    for pool, factor in changes.pools.scale.items():
        yield _say("pool_scaled", pool=pool, factor=f"{factor:g}")
    for link in changes.links.cut:
        yield _say("link_cut", link=link)
    for link, factor in changes.links.scale.items():
        yield _say("link_scaled", link=link, factor=f"{factor:g}")
    for new in changes.links.add:
        yield _say("link_added", link=new.id)
    yield from _prices(changes)
    for tenant in changes.tenants:
        yield _say("tenant", tenant=tenant.id, limits=_limits(tenant))
    if changes.policy.preference is not None:
        yield _say("preference", preference=changes.policy.preference.value)
    if changes.policy.owners is not None:
        yield _say("owners", owners=", ".join(changes.policy.owners) or "*")
    if changes.load is not None:
        yield _say("load", factor=f"{changes.load:g}")
    if changes.later != changes.earlier:
        later = changes.later > changes.earlier
        yield _say("later" if later else "earlier", span=show_span(abs(changes.later - changes.earlier)))


def _prices(changes: Changes) -> Iterator[Said]:
    prices = changes.prices
    if prices.all is not None:
        yield _say("price_all", factor=f"{prices.all:g}")
    for kind, factors in (("site", prices.sites), ("owner", prices.owners), ("book", prices.books)):
        for name, factor in factors.items():
            yield _say(f"price_{kind}", name=name, factor=f"{factor:g}")
    if prices.network is not None:
        yield _say("price_network", factor=f"{prices.network:g}")
    for book in prices.set:
        yield _say("price_set", name=book.id)


def _limits(tenant: TenantChange) -> str:
    given = tenant.model_dump(exclude={"id"}, exclude_none=True)
    if "budget_micro_yuan" in given:
        given["budget"] = show_yuan(given.pop("budget_micro_yuan"))
    return ", ".join(f"{name} {value}" for name, value in given.items())


def _say(code: str, **params: str | int) -> Said:
    return Said(code=f"change.{code}", params=params)
