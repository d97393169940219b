"""One attack, one story: what somebody tries, what is found, and beside it the honest way, which passes."""
