class Handlers:
    def execute(self, file_path):
        yield [{"a": 1}]
