class Handler:
    def execute(self, file_path):
        yield [{"a": 1}]
        print("the first line")
        for number in range(10 * 1024):
            print(f"{number:06} ".ljust(1023, "x"))
        print("the last line")
