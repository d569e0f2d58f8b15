# SPDX-License-Identifier: LGPL-3.0-or-later
"""The messages of gRPC: two .proto files, and what protoc makes of them (``make proto``)."""
