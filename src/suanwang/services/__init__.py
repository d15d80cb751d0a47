"""The catalogue of services: templates of tasks that do real work and hold their own result against what is expected."""

from suanwang.services.manifest import Service, catalogue, examples_path, find
from suanwang.services.parameters import check
from suanwang.services.request import document_of, files_of, wish_faults

__all__ = ["Service", "catalogue", "check", "document_of", "examples_path", "files_of", "find", "wish_faults"]
