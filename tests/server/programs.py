"""The same small application for each way to serve one; the comment of a line says what reaches it."""

from __future__ import annotations

ANSWER = """
    import os  # start


    def answer(path):  # start
        if path == "/driven":  # always
            return f"driven {os.getpid()}"  # driven
        if path == "/last":  # always
            return f"last {os.getpid()}"  # last
        if path == "/pid":  # always
            sum(range(1_000_000))  # pid
            return f"pid {os.getpid()}"  # pid
        return f"other {os.getpid()}"  # always


    def never():  # start
        return None  # nobody


"""

ASGI = (
    ANSWER
    + """
    async def app(scope, receive, send):  # start
        if scope["type"] == "lifespan":  # start
            while True:  # start
                message = await receive()  # start
                await send({"type": message["type"] + ".complete"})  # start
                if message["type"] == "lifespan.shutdown":  # start
                    return  # stop
        body = answer(scope["path"]).encode()  # always
        head = [(b"content-length", str(len(body)).encode())]  # always
        await send({"type": "http.response.start", "status": 200, "headers": head})  # always
        await send({"type": "http.response.body", "body": body})  # always
"""
)

WSGI = (
    ANSWER
    + """
    def app(environ, start_response):  # start
        body = answer(environ["PATH_INFO"]).encode()  # always
        start_response("200 OK", [("Content-Length", str(len(body)))])  # always
        return [body]  # always
"""
)

STANDARD = (
    ANSWER
    + """
    import sys  # start
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer  # start


    class Page(BaseHTTPRequestHandler):  # start
        def do_GET(self):  # start
            body = answer(self.path).encode()  # always
            self.send_response(200)  # always
            self.send_header("Content-Length", str(len(body)))  # always
            self.end_headers()  # always
            self.wfile.write(body)  # always


    if __name__ == "__main__":  # start
        ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()  # start
"""
)

FLASK = (
    ANSWER
    + """
    from flask import Flask, request  # start

    app = Flask(__name__)  # start


    @app.route("/")  # start
    @app.route("/<name>")  # start
    def page(name=""):  # start
        return answer(request.path)  # always
"""
)

DJANGO = (
    ANSWER
    + """
    from django.http import HttpResponse  # start
    from django.urls import re_path  # start

    DEBUG = True  # start
    SECRET_KEY = "-"  # start
    ROOT_URLCONF = "app.main"  # start


    def page(request):  # start
        return HttpResponse(answer(request.path))  # always


    urlpatterns = [re_path("", page)]  # start
"""
)

CELERY = (
    ANSWER
    + """
    from celery import Celery  # start

    app = Celery("main", broker="filesystem://", backend="file://results")  # start
    folders = {f"data_folder_{way}": "queue" for way in ("in", "out")}  # start
    app.conf.update(broker_transport_options=folders, worker_prefetch_multiplier=1)  # start


    @app.task(name="answer")  # start
    def task(path):  # start
        return answer(path)  # always
"""
)

UVICORN_IN_A_THREAD = """
    import sys
    import threading

    import uvicorn

    server = uvicorn.Server(uvicorn.Config("app.main:app", port=int(sys.argv[1])))
    thread = threading.Thread(target=server.run)
    thread.start()
    thread.join()
"""

ASK_CELERY = """
    import sys
    from celery import Celery

    app = Celery("asker", broker="filesystem://", backend="file://results")
    app.conf.broker_transport_options = {f"data_folder_{way}": "queue" for way in ("in", "out")}
    print(app.send_task("answer", sys.argv[1:]).get(timeout=60), end="")
"""
