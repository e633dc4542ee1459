"""What runs beside a plugin: launcher → warm parent → the plugin's process (a guard between them where the kernel gives no process
namespaces). Only the last runs the plugin's code."""
