"""Publishes so many messages of QoS 0 to mosquitto in one write, from the first moment on: nothing is waited for.

    mqtt_flood.py [--tls] PORT MESSAGES
"""
import argparse
import socket
import ssl
import struct


def packet(kind, body):
    size, length = b"", len(body)
    while length >= 128:
        size += bytes([length & 127 | 128])
        length >>= 7
    return bytes([kind]) + size + bytes([length]) + body


def text(value):
    return struct.pack(">H", len(value)) + value


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("port", type=int)
    parser.add_argument("messages", type=int)
    arguments = parser.parse_args()
    connect = packet(0x10, text(b"MQTT") + b"\x04\xc2\x00\x3c" + text(b"flood") + text(b"writer") + text(b"secret"))
    publish = packet(0x30, text(b"flood") + b"m" * 100)
    disconnect = packet(0xe0, b"")
    connection = socket.create_connection(("127.0.0.1", arguments.port))
    if arguments.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = context.wrap_socket(connection)
    connection.sendall(connect + publish * arguments.messages + disconnect)
    while connection.recv(4096):
        pass


main()
