"""The one log and the tables that are projected from it."""

from suanwang.store.admin import backup, rebuild, restore, verify
from suanwang.store.rows import Page
from suanwang.store.store import Store

__all__ = ["Page", "Store", "backup", "rebuild", "restore", "verify"]
