"""Many runs by one command: which there are, where they run, what came of them."""
