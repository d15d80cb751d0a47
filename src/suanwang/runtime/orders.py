"""What goes to an agent beside what the log holds."""

from suanwang.model.event import InstructionKind, Orders
from suanwang.model.ids import AttemptId
from suanwang.store import Store


def with_secrets(store: Store, orders: Orders) -> Orders:
    """The orders with the values of the secrets of each task that is to start; the log has only their names."""
    secrets: dict[AttemptId, dict[str, str]] = {}
    for order in orders.instructions:
        if order.kind is InstructionKind.START and order.request is not None and order.request.secrets:
            secrets[order.attempt_id] = store.get_secrets(order.task_id)
    return orders.model_copy(update={"secrets": secrets}) if secrets else orders
