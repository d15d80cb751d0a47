"""Usage and tariff -> charges. See README.md."""

from suanwang.settle.settle import capped, settle, settle_held

__all__ = ["capped", "settle", "settle_held"]
