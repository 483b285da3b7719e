// How a portal, or whatever stands before it, refuses a device: the header Retry-After and the body, both of any text.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "culvert/portal_api/refusal_body.h"
#include "culvert/portal_channel/constants.h"
#include "culvert/portal_channel/retry_after.h"
#include "input.h"

namespace {

using namespace culvert;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void check_retry_after(std::string_view text, WallTime now) {
    const auto wait = portal_channel::parse_retry_after(text, now);
    require(!wait || (*wait >= Duration{} && *wait <= portal_channel::kMaxRetryAfter));
    require(portal_channel::parse_retry_after(" \t" + std::string{text} + " ", now) == wait);
    // The later it is, the less there is to wait for a date; a number of seconds stays what it is.
    const auto later = portal_channel::parse_retry_after(text, now + std::chrono::seconds{1});
    require(wait.has_value() == later.has_value() && (!wait || *later <= *wait));
}

void check_body(std::string_view body) {
    const auto refusal = portal_api::parse_refusal_body(body);
    if (!refusal) {
        return;
    }
    require(!refusal->code.empty() || !refusal->detail.empty());
    require(refusal->code.size() + refusal->detail.size() <= body.size());
    boost::json::object problem;
    problem["detail"] = refusal->detail;
    problem["code"] = refusal->code;
    require(portal_api::parse_refusal_body(boost::json::serialize(problem)) == refusal);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input{data, size};
    // From the year 1996 to 2062.
    const WallTime now{std::chrono::hours{24 * 365 * 26} + std::chrono::hours{9} * input.u16()};
    const auto bytes = input.take(input.left());
    const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    check_retry_after(text, now);
    check_body(text);
    return 0;
}
