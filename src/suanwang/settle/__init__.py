"""Usage and tariff -> charges. See README.md."""

from suanwang.settle.bills import Bills
from suanwang.settle.settle import capped, capped_rows, settle, settle_held, settle_rows

__all__ = ["Bills", "capped", "capped_rows", "settle", "settle_held", "settle_rows"]
