#include "apps/portal/problem.h"

#include <boost/beast/http/status.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace culvert::portal_server {

http::Response to_problem(const portal::Refusal& refusal) {
    const auto title = boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(refusal.status));
    boost::json::object problem{{"type", "about:blank"},
                                {"title", boost::json::string_view{title.data(), title.size()}},
                                {"status", refusal.status}};
    problem["detail"] = refusal.text;
    problem["code"] = refusal.code;
    return {.status = refusal.status,
            .body = boost::json::serialize(problem) + "\n",
            .content_type = "application/problem+json",
            .retry_after = refusal.retry_after};
}

}  // namespace culvert::portal_server
