"""The whole system on one machine: servers that come as wheels, the launcher, the doctor."""
