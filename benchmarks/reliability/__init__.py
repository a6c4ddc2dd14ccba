"""Proofs that the service keeps its promises under load, faults and hostile input; each file says how."""
