"""Proofs that the service keeps what it promises, under load, faults and hostile input; each file says how."""
