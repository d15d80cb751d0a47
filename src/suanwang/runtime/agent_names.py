"""Under which name a key speaks: one agent's, for ever.

What an agent has said is counted by its name. Who could take another's name could tell the brain of events that the other never
had, and the other's own would count as heard already. So a key has a name: that of the request by which its site joined, or else
the first that it uses; and nobody takes a name that stands for sites which are not theirs.
"""

from collections.abc import Collection
from typing import Final

from suanwang.model.error import NotAllowedError
from suanwang.model.ids import AgentId, KeyId, SiteId
from suanwang.model.principal import Principal, Role
from suanwang.observe.state import State

LOCAL: Final = AgentId("local")  # the agent in the brain's own process


def foreign_site(state: State, agent: AgentId, sites: Collection[SiteId]) -> SiteId | None:
    """A site beyond these that the name stands for: by a key, even a revoked one, or because an agent of that name had it."""
    by_keys = (site for held in state.keys.values() if held.agent == agent for site in held.key.sites)
    had = (site for site, name in state.agent_of.items() if name == agent)
    return next((site for some in (by_keys, had) for site in some if site not in sites), None)


def check_name(state: State, principal: Principal, agent: AgentId) -> KeyId | None:
    """The key that is to have this name from now on; None where it has it, or has none, as an operator's.

    Raises NotAllowedError where the key speaks for another agent, or the name for other sites.
    """
    held = state.keys.get(principal.key_id)
    if principal.role is not Role.AGENT or held is None or held.agent == agent:
        return None
    if held.agent is not None:
        raise NotAllowedError("agent_name", agent=held.agent, asked=agent)
    if agent == LOCAL:
        raise NotAllowedError("agent_name", agent="-", asked=agent)
    site = foreign_site(state, agent, principal.sites)
    if site is not None:
        raise NotAllowedError("agent_site", site=site)
    return principal.key_id
