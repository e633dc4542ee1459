class Handler:
    def execute(self, file_path):
        yield [{"a": 1}]
        yield "a,b\n1,2\n"
