"""MA6xx: what the model answered to probe inputs, and what the diagnosis says of it."""
