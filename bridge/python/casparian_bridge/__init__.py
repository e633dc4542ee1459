"""What runs beside a plugin: launch → warm parent → guard → the plugin's process. Only the last runs the plugin's code."""
