"""What a plugin may import from Casparian Flow; nothing needs to be."""
