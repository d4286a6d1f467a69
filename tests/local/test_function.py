import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from local import FunctionError, Stack
from tests.support.waiting import eventually


def test_a_function_sees_only_lambda_s_variables_and_its_template_s(stack: Stack) -> None:
    variables = stack.invoke("Echo", {"do": "environment"})["variables"]
    assert variables["GREETING"] == "hello"
    assert variables["DATABASE_URL"] == stack.database_url
    assert variables["AWS_ENDPOINT_URL"] == stack.aws_endpoint
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "Echo"
    assert variables["AWS_REGION"] == "us-east-1"
    assert variables["TZ"] == ":UTC"
    assert variables["LAMBDA_TASK_ROOT"].endswith("functions/echo")
    assert not {"AWS_CA_BUNDLE", "AWS_PROFILE", "HTTP_PROXY", "HOME", "PYTHONPATH"} & set(variables)


def test_a_variable_that_another_function_declares_is_missing(stack: Stack) -> None:
    assert "GREETING" not in stack.invoke("Hasty", {"do": "environment"})["variables"]


def test_only_the_functions_folder_and_its_layer_are_on_the_path(stack: Stack) -> None:
    path = [Path(folder) for folder in stack.invoke("Echo", {"do": "environment"})["path"]]
    assert [folder.name for folder in path[:2]] == ["echo", "shared"]
    assert not any((folder / "local").exists() for folder in path)


def test_importing_another_function_fails_as_it_would_in_lambda(stack: Stack) -> None:
    with pytest.raises(FunctionError, match="No module named 'functions'"):
        stack.invoke("Importer", {})
    assert "from functions.echo import app as echo" in stack.log("Importer")


def test_an_error_is_reported_and_the_process_stays(stack: Stack) -> None:
    before = stack.invoke("Echo", {"do": "environment"})["pid"]
    with pytest.raises(FunctionError, match="ValueError: as asked") as raised:
        stack.invoke("Echo", {"do": "raise"})
    assert raised.value.error_type == "ValueError"
    assert 'raise ValueError("as asked")' in "".join(raised.value.trace)
    assert stack.invoke("Echo", {"do": "environment"})["pid"] == before


def test_a_process_that_exits_is_replaced(stack: Stack) -> None:
    with pytest.raises(FunctionError, match=r"Runtime\.ExitError.* 3"):
        stack.invoke("Hasty", {"do": "exit"})
    assert stack.invoke("Hasty", {"do": "environment"})["pid"]


def test_a_function_that_times_out_is_killed_and_replaced(stack: Stack) -> None:
    before = stack.invoke("Hasty", {"do": "environment"})["pid"]
    started = time.monotonic()
    with pytest.raises(FunctionError, match=r"Sandbox\.Timedout"):
        stack.invoke("Hasty", {"do": "sleep"})
    assert time.monotonic() - started < 3
    assert "Task timed out" in stack.log("Hasty")
    assert stack.invoke("Hasty", {"do": "environment"})["pid"] != before


def test_a_result_beyond_lambdas_limit_is_an_error(stack: Stack) -> None:
    with pytest.raises(FunctionError, match=r"Function\.ResponseSizeTooLarge"):
        stack.invoke("Echo", {"do": "big"})


def test_the_context_is_that_of_lambda(stack: Stack) -> None:
    context = stack.invoke("Echo", {"do": "context"})
    assert context["function_name"] == "Echo"
    assert context["invoked_function_arn"] == "arn:aws:lambda:us-east-1:000000000000:function:Echo"
    assert context["memory_limit_in_mb"] == "128"
    assert context["log_group_name"] == "/aws/lambda/Echo"
    assert 9_000 < context["get_remaining_time_in_millis"] <= 10_000
    assert context["aws_request_id"] != stack.invoke("Echo", {"do": "context"})["aws_request_id"]


def test_a_function_s_output_is_in_its_log(stack: Stack) -> None:
    stack.invoke("Echo", {"do": "print", "line": "snowman \N{SNOWMAN}"})
    eventually(lambda: "snowman \N{SNOWMAN}\n" in stack.log("Echo"))


def test_concurrent_invocations_have_a_process_each_up_to_the_limit(stack: Stack) -> None:
    pids: list[int] = []

    def call() -> None:
        stack.invoke("Hasty", {"do": "sleep", "seconds": 0.3})
        pids.append(stack.invoke("Hasty", {"do": "environment"})["pid"])

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 8
    assert len(Counter(pids)) == 4
