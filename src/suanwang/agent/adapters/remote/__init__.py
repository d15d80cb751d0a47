"""What adapters have in common whose work runs elsewhere: a folder of records, a clerk's thread, and the calls of the agent."""
