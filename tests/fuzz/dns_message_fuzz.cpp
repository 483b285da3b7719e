// DNS messages as anybody may send them: reading must not crash or take long, and what is read must survive being
// written again.

#include <cstdint>
#include <cstdlib>

#include "culvert/dns/constants.h"
#include "culvert/dns/message.h"
#include "culvert/dns/records.h"
#include "culvert/dns/response.h"
#include "culvert/dns/reverse_name.h"

namespace {

using namespace culvert;
using namespace culvert::dns;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void check_name(const Name& name) {
    const auto again = Name::parse(name.to_string());
    require(again && equal(again->wire(), name.wire()));
    require(name.wire().size() <= Name::kMaxSize && name == *again);
    static_cast<void>(address_of_reverse_name(name));
}

void check_response(const Message& response) {
    const auto cut = fit_into(kClassicUdpMessage, to_bytes(response.bytes()));
    require(cut.size() <= kClassicUdpMessage && Message::parse_response(cut)->question() == response.question());
    const auto records = read_answers(response);
    if (!records) {
        return;
    }
    ResponseBuilder builder{response, ResponseCode::kNoError};
    for (const auto& record : *records) {
        check_name(record.owner);
        builder.add(record, record.ttl);
    }
    const auto bytes = std::move(builder).take();
    const auto again = Message::parse_response(bytes);
    require(again && again->question() == response.question());
    require(read_answers(*again) == records);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteSpan bytes{reinterpret_cast<const std::byte*>(data), size};
    if (const auto query = Message::parse_query(bytes)) {
        check_name(query->question().name);
        const auto refused = empty_response(*query, ResponseCode::kServFail);
        require(Message::parse_response(refused)->question() == query->question());
        require(udp_limit(*query) >= kClassicUdpMessage && udp_limit(*query) <= kMaxUdpMessage);
    }
    if (const auto response = Message::parse_response(bytes)) {
        check_response(*response);
    }
    return 0;
}
