"""A plugin that does nothing wrong, and tells what its package says."""

import package_of_the_plugin


class Handler:
    def execute(self, file_path):
        print(package_of_the_plugin.value)
