#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace culvert::http {

struct Request {
    std::string_view method;  ///< "GET", "POST", ...
    std::string_view path;    ///< without query
    std::string_view query;   ///< behind the question mark, still percent-encoded; empty if there is none

    /// Decoded value of a query parameter; empty if it is absent.
    [[nodiscard]] std::string parameter(std::string_view name) const;
};

struct Response {
    unsigned status = 200;
    std::string body;
    std::string content_type = "text/plain; charset=utf-8";
    std::optional<std::chrono::seconds> retry_after = std::nullopt;
    /// Further fields, which replace those of their names. Never what strangers sent: nobody looks for line ends here.
    std::vector<std::pair<std::string, std::string>> headers = {};
};

}  // namespace culvert::http
