"""The inline sensor of a lab's IDS: rules, packets, detection, and the process that watches a device. See README.md."""
