"""A request and its tenant -> admitted or refused, with every reason. See README.md."""

from suanwang.admission.admit import admit

__all__ = ["admit"]
