"""Many runs: scenarios, designs, batches, sensitivity, search for policies."""
