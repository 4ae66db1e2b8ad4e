"""What a step of the images' update costs, in seconds and in bytes."""
