import yaml_of_another_world


class Handler:
    def execute(self, file_path):
        yield [{"a": yaml_of_another_world.load(file_path)}]
