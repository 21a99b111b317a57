"""Pure judgements: from the recorded text of a tool to what it means, without a host."""
