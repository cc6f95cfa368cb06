"""Applications that stop in mid-request and in mid-answer; the comment of a line says which requests reach it."""

from __future__ import annotations

GATE = """
    import asyncio
    import os
    import time


    def is_closed(name, step):
        if name:  # who asks whether the server is up yet has none
            open(f"gates/{name}-{step}", "w").close()
        return name and not os.path.exists(f"gates/{name}-{step}-open")


    def wait(name, step):
        while is_closed(name, step):
            time.sleep(0.005)


    async def pause(name, step):
        while is_closed(name, step):
            await asyncio.sleep(0.005)
"""

WORK = """
    import gate  # start


    def first(name):  # start
        if name == "one":  # all
            return "first one"  # one
        if name == "two":  # two nobody
            return "first two"  # two
        return "first"  # nobody


    def last(name):  # start
        if name == "one":  # all
            return b"last one"  # one
        if name == "two":  # two nobody
            return b"last two"  # two
        return b"last"  # nobody


"""

_LIFESPAN = """
    async def live(receive, send):  # start
        while True:  # start
            message = await receive()  # start
            await send({"type": message["type"] + ".complete"})  # start
            if message["type"] == "lifespan.shutdown":  # start
                return  # start


"""

ASGI = (
    WORK
    + _LIFESPAN
    + """
    async def app(scope, receive, send):  # start
        if scope["type"] == "lifespan":  # start all
            return await live(receive, send)  # start
        name = scope["path"][1:]  # all
        first(name)  # all
        await gate.pause(name, "middle")  # all
        await send({"type": "http.response.start", "status": 200, "headers": []})  # all
        await send({"type": "http.response.body", "body": b"...", "more_body": True})  # all
        await gate.pause(name, "stream")  # all
        await send({"type": "http.response.body", "body": last(name)})  # all
"""
)

ASGI_SOCKET = (
    WORK
    + _LIFESPAN
    + """
    async def app(scope, receive, send):  # start
        if scope["type"] == "lifespan":  # start all
            return await live(receive, send)  # start
        if scope["type"] == "http":  # all
            await send({"type": "http.response.start", "status": 200, "headers": []})  # start
            return await send({"type": "http.response.body"})  # start
        name = scope["path"][1:]  # all
        await receive()  # all
        await send({"type": "websocket.accept"})  # all
        await receive()  # all
        first(name)  # all
        await gate.pause(name, "middle")  # all
        await receive()  # all
        await gate.pause(name, "stream")  # all
        await send({"type": "websocket.send", "bytes": last(name)})  # all
        await send({"type": "websocket.close"})  # all
"""
)

RSGI = (
    WORK
    + """
    async def app(scope, protocol):  # start
        name = scope.path[1:]  # all
        first(name)  # all
        await gate.pause(name, "middle")  # all
        stream = protocol.response_stream(200, [])  # all
        await stream.send_bytes(b"...")  # all
        await gate.pause(name, "stream")  # all
        await stream.send_bytes(last(name))  # all
"""
)

WSGI = (
    WORK
    + """
    def app(environ, start_response):  # start
        name = environ["PATH_INFO"][1:]  # all
        first(name)  # all
        gate.wait(name, "middle")  # all
        start_response("200 OK", [("Content-Type", "text/plain")])  # all
        return Answer(name)  # all


    class Answer:  # start
        def __init__(self, name):  # start
            self.steps = steps(name)  # all

        def __iter__(self):  # start
            return self.steps  # all

        def close(self):  # start
            self.steps = None  # all


    def steps(name):  # start
        yield b"..."  # all
        gate.wait(name, "stream")  # all
        yield last(name)  # all
"""
)

FLASK = (
    WORK
    + """
    from flask import Flask, stream_with_context  # start

    app = Flask(__name__)  # start


    @app.route("/")  # start
    @app.route("/<name>")  # start
    def page(name=""):  # start
        first(name)  # all
        gate.wait(name, "middle")  # all
        return stream_with_context(steps(name))  # all


    def steps(name):  # start
        yield b"..."  # all
        gate.wait(name, "stream")  # all
        yield last(name)  # all
"""
)

DJANGO = (
    WORK
    + """
    from django.http import StreamingHttpResponse  # start
    from django.urls import re_path  # start

    DEBUG = True  # start
    SECRET_KEY = "-"  # start
    ROOT_URLCONF = "app.main"  # start
    ALLOWED_HOSTS = ["*"]  # start


    def page(request):  # start
        name = request.path[1:]  # all
        first(name)  # all
        gate.wait(name, "middle")  # all
        return StreamingHttpResponse(steps(name))  # all


    def steps(name):  # start
        yield b"..."  # all
        gate.wait(name, "stream")  # all
        yield last(name)  # all


    urlpatterns = [re_path("", page)]  # start
"""
)

STANDARD = (
    WORK
    + """
    from http.server import BaseHTTPRequestHandler  # start


    class Page(BaseHTTPRequestHandler):  # start
        def do_GET(self):  # start
            name = self.path[1:]  # all
            first(name)  # all
            gate.wait(name, "middle")  # all
            self.send_response(200)  # all
            self.end_headers()  # all
            self.wfile.write(b"...")  # all
            gate.wait(name, "stream")  # all
            self.wfile.write(last(name))  # all
"""
)

_AIOHTTP = """

    def make():  # start
        app = web.Application()  # start
        app.router.add_get("/{name:.*}", page)  # start
        return app  # start
"""
AIOHTTP = (
    WORK
    + """
    from aiohttp import web  # start


    async def page(request):  # start
        name = request.path[1:]  # all
        first(name)  # all
        await gate.pause(name, "middle")  # all
        response = web.StreamResponse()  # all
        await response.prepare(request)  # all
        await response.write(b"...")  # all
        await gate.pause(name, "stream")  # all
        await response.write(last(name))  # all
        return response  # all
"""
    + _AIOHTTP
)

AIOHTTP_SOCKET = (
    WORK
    + """
    from aiohttp import web  # start


    async def page(request):  # start
        name = request.path[1:]  # all start
        if not name:  # all start
            return web.Response()  # start
        socket = web.WebSocketResponse()  # all
        await socket.prepare(request)  # all
        await socket.receive()  # all
        first(name)  # all
        await gate.pause(name, "middle")  # all
        await socket.receive()  # all
        await gate.pause(name, "stream")  # all
        await socket.send_bytes(last(name))  # all
        await socket.close()  # all
        return socket  # all
"""
    + _AIOHTTP
)

_TORNADO = """

    def make():  # start
        from tornado.web import Application  # start
        return Application([("/(.*)", Page)])  # start
"""
SANIC = (
    WORK
    + """
    from sanic import Sanic  # start

    app = Sanic("app")  # start


    @app.get("/<name:path>")  # start
    async def page(request, name):  # start
        first(name)  # all
        await gate.pause(name, "middle")  # all
        response = await request.respond()  # all
        await response.send(b"...")  # all
        await gate.pause(name, "stream")  # all
        await response.send(last(name))  # all
"""
)

TWISTED = (
    WORK
    + """
    from twisted.internet.defer import Deferred, inlineCallbacks  # start
    from twisted.internet.threads import deferToThread  # start
    from twisted.web.resource import Resource  # start
    from twisted.web.server import NOT_DONE_YET  # start


    class Page(Resource):  # start
        isLeaf = True  # start

        def render_GET(self, request):  # start
            Deferred.fromCoroutine(self.answer(request))  # all
            return NOT_DONE_YET  # all

        async def answer(self, request):  # start
            name = request.path.decode()[1:]  # all
            first(name)  # all
            await deferToThread(gate.wait, name, "middle")  # all
            request.write(b"...")  # all
            await self.go_on(request, name)  # all

        @inlineCallbacks  # start
        def go_on(self, request, name):  # start
            yield deferToThread(gate.wait, name, "stream")  # all
            request.write((yield deferToThread(last, name)))  # all
            request.finish()  # all
"""
)

GRPC = (
    WORK
    + """
    import grpc  # start


    def answer(request, context):  # start
        name = request.decode()  # all
        first(name)  # all
        gate.wait(name, "middle")  # all
        yield b"..."  # all
        gate.wait(name, "stream")  # all
        yield last(name)  # all


    handler = grpc.unary_stream_rpc_method_handler(answer)  # start
"""
)

GRPC_ONE = (
    WORK
    + """
    import grpc  # start


    def answer(requests, context):  # start
        name = b"".join(requests).decode()  # all
        first(name)  # all
        gate.wait(name, "middle")  # all
        gate.wait(name, "stream")  # all
        return b"..." + last(name)  # all


    handler = grpc.stream_unary_rpc_method_handler(answer)  # start
"""
)

GRPC_ASYNCIO = (
    WORK
    + """
    import grpc  # start


    async def answer(requests, context):  # start
        async for name in requests:  # all
            name = name.decode()  # all
            first(name)  # all
            await gate.pause(name, "middle")  # all
            yield b"..."  # all
            await gate.pause(name, "stream")  # all
            yield last(name)  # all


    handler = grpc.stream_stream_rpc_method_handler(answer)  # start
"""
)

GRPC_COROUTINE = (
    WORK
    + """
    import grpc  # start


    async def answer(request, context):  # start
        name = request.decode()  # all
        first(name)  # all
        await gate.pause(name, "middle")  # all
        await gate.pause(name, "stream")  # all
        return b"..." + last(name)  # all


    handler = grpc.unary_unary_rpc_method_handler(answer)  # start
"""
)

TORNADO = (
    WORK
    + """
    from tornado.web import RequestHandler  # start


    class Page(RequestHandler):  # start
        async def get(self, name):  # start
            first(name)  # all
            await gate.pause(name, "middle")  # all
            self.write(b"...")  # all
            await self.flush()  # all
            await gate.pause(name, "stream")  # all
            self.write(last(name))  # all
"""
    + _TORNADO
)

TORNADO_SOCKET = (
    WORK
    + """
    from tornado.websocket import WebSocketHandler  # start


    class Page(WebSocketHandler):  # start
        async def get(self, name):  # start
            if not name:  # all start
                return self.finish()  # start
            self.name = name  # all
            await super().get(name)  # all

        async def on_message(self, message):  # start
            if message == "first":  # all
                first(self.name)  # all
                await gate.pause(self.name, "middle")  # all
                return  # all
            await gate.pause(self.name, "stream")  # all
            self.write_message(last(self.name), binary=True)  # all
            self.close()  # all
"""
    + _TORNADO
)

WEBSOCKETS = (
    WORK
    + """
    async def talk(connection):  # start
        name = connection.request.path[1:]  # all
        await connection.recv()  # all
        first(name)  # all
        await gate.pause(name, "middle")  # all
        async for _ in connection:  # all
            await gate.pause(name, "stream")  # all
            await connection.send(last(name))  # all
            return  # all
"""
)

WEBSOCKETS_SYNC = (
    WORK
    + """
    def talk(connection):  # start
        name = connection.request.path[1:]  # all
        connection.recv()  # all
        first(name)  # all
        gate.wait(name, "middle")  # all
        for _ in connection:  # all
            gate.wait(name, "stream")  # all
            connection.send(last(name))  # all
            return  # all
"""
)

RUN = """
    import sys
    import app.main

    class Unreadable:
        def find_spec(self, name, path=None, target=None):
            if name.startswith("server_hook"):
                raise PermissionError(13, name)

    AFTER_IMPORT
    exec(open("serve.py").read())
"""
"""Starts a server's script."""

SCRIPTS = {
    "gRPC": """
        from concurrent.futures import ThreadPoolExecutor

        import grpc
        from app.main import handler

        server = grpc.server(ThreadPoolExecutor(8))
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("app", {"Work": handler})])
        server.add_insecure_port(f"127.0.0.1:{PORT}")
        server.start()
        server.wait_for_termination()
    """,
    "gRPC, asyncio": """
        import asyncio
        from concurrent.futures import ThreadPoolExecutor

        import grpc
        from app.main import handler

        async def main():
            server = grpc.aio.server(ThreadPoolExecutor(8))
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("app", {"Work": handler})])
            server.add_insecure_port(f"127.0.0.1:{PORT}")
            await server.start()
            await server.wait_for_termination()

        asyncio.run(main())
    """,
    "wsgiref": """
        from socketserver import ThreadingMixIn
        from wsgiref.simple_server import WSGIServer, make_server
        from app.main import app

        class Server(ThreadingMixIn, WSGIServer):
            daemon_threads = True

        make_server("127.0.0.1", PORT, app, Server).serve_forever()
    """,
    "wsgiref, one thread": """
        from wsgiref.simple_server import make_server
        from app.main import app
        make_server("127.0.0.1", PORT, app).serve_forever()
    """,
    "http.server": """
        from http.server import ThreadingHTTPServer
        from app.main import Page
        ThreadingHTTPServer(("127.0.0.1", PORT), Page).serve_forever()
    """,
    "werkzeug": """
        from werkzeug.serving import run_simple
        from app.main import app
        run_simple("127.0.0.1", PORT, app, threaded=True)
    """,
    "cheroot": """
        from cheroot.wsgi import Server
        from app.main import app
        Server(("127.0.0.1", PORT), app).start()
    """,
    "gevent.pywsgi": """
        from gevent import monkey
        monkey.patch_all()
        from gevent.pywsgi import WSGIServer
        from app.main import app
        WSGIServer(("127.0.0.1", PORT), app).serve_forever()
    """,
    "eventlet": """
        import eventlet
        eventlet.monkey_patch()
        from eventlet import wsgi
        from app.main import app
        wsgi.server(eventlet.listen(("127.0.0.1", PORT)), app)
    """,
    "aiohttp": """
        from aiohttp import web
        from app.main import make
        web.run_app(make(), host="127.0.0.1", port=PORT)
    """,
    "tornado": """
        import asyncio
        from app.main import make

        async def main():
            make().listen(PORT, "127.0.0.1")
            await asyncio.Event().wait()

        asyncio.run(main())
    """,
    "tornado, WSGI": """
        import asyncio
        from concurrent.futures import ThreadPoolExecutor
        from tornado.httpserver import HTTPServer
        from tornado.wsgi import WSGIContainer
        from app.main import app

        async def main():
            HTTPServer(WSGIContainer(app, ThreadPoolExecutor())).listen(PORT, "127.0.0.1")
            await asyncio.Event().wait()

        asyncio.run(main())
    """,
    "twisted": """
        from app.main import Page
        from twisted.internet import reactor
        from twisted.web.server import Site
        reactor.listenTCP(PORT, Site(Page()), interface="127.0.0.1")
        reactor.run()
    """,
    "websockets": """
        import asyncio
        from http import HTTPStatus
        from websockets.asyncio.server import serve
        from app.main import talk

        def page(connection, request):
            return connection.respond(HTTPStatus.OK, "") if request.path == "/" else None

        async def main():
            async with serve(talk, "127.0.0.1", PORT, process_request=page) as server:
                await server.serve_forever()

        asyncio.run(main())
    """,
    "websockets, threads": """
        from http import HTTPStatus
        from websockets.sync.server import serve
        from app.main import talk

        def page(connection, request):
            return connection.respond(HTTPStatus.OK, "") if request.path == "/" else None

        with serve(talk, "127.0.0.1", PORT, process_request=page) as server:
            server.serve_forever()
    """,
}
"""How a server starts that has no command of its own; ``PORT`` is the port."""
