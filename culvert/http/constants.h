#pragma once

#include <chrono>
#include <cstddef>

/// Times and sizes of the HTTP server. Ours to choose.
namespace culvert::http {

/// For each step of a request: to be read, an idle connection included, and to be answered.
inline constexpr std::chrono::seconds kStepTimeout{10};
/// For a request's body. The longest are some megabytes.
inline constexpr std::chrono::seconds kBodyTimeout{60};
/// What is still read of a body that nobody wants, so that its sender hears why before the connection is reset.
inline constexpr std::size_t kMaxDiscarded = 32 * 1024 * 1024;
inline constexpr std::size_t kDiscardedAtOnce = 64 * 1024;
/// Of a request's header.
inline constexpr std::size_t kMaxHeaderBytes = 8 * 1024;
/// After accept() failed, most likely for want of file descriptors.
inline constexpr std::chrono::milliseconds kAcceptPause{100};

/// Of an endpoint for operators: connections at a time, and bytes of a request's body.
inline constexpr std::size_t kMaxEndpointConnections = 64;
inline constexpr std::size_t kMaxEndpointBody = 8 * 1024;

}  // namespace culvert::http
