#pragma once

#include <memory>

namespace culvert::resolver {

struct CloseCurlMulti {
    void operator()(void* multi) const;
};
/// libcurl's handle for requests that run at the same time and share connections.
using CurlMulti = std::unique_ptr<void, CloseCurlMulti>;

/// Sets libcurl up if nobody has yet. Throws std::bad_alloc if it cannot be.
[[nodiscard]] CurlMulti open_curl_multi();

}  // namespace culvert::resolver
