"""Usage and tariff -> charges. See README.md."""

from suanwang.settle.settle import capped, settle

__all__ = ["capped", "settle"]
