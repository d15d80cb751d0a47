"""A site's quantum devices, simulated by qiskit-aer. See docs/guide/quantum.md."""

from suanwang.agent.adapters.quantum.adapter import QuantumAdapter
from suanwang.agent.adapters.quantum.settings import Device, DeviceFile, QuantumFile, QuantumSettings

__all__ = ["Device", "DeviceFile", "QuantumAdapter", "QuantumFile", "QuantumSettings"]
