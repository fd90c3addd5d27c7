"""Many runs: what they came to together."""
