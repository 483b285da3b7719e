#include "culvert/portal_api/flow_record.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace culvert::portal_api {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

net::SocketAddress socket(std::string_view text) {
    return *net::SocketAddress::parse(text);
}

constexpr WallMicroseconds kStart{1'787'393'703s + 220ms};

FlowRecord open_record() {
    return {.protocol = FlowProtocol::kTcp,
            .inner_source = socket("100.71.20.9:51514"),
            .inner_destination = socket("100.96.0.3:443"),
            .domain = "git.corp.example",
            .outers = {{socket("10.99.0.2:52625"), socket("198.51.100.40:52625"), kStart - 1116ms}},
            .started_at = kStart,
            .end = {}};
}
FlowRecord closed_record() {
    auto record = open_record();
    record.domain.reset();
    record.protocol = FlowProtocol::kUdp;
    record.outers = {{std::nullopt, socket("[2001:db8::20]:61743"), kStart - 2s}};
    record.end = FlowEnd{.ended_at = kStart + 2min,
                         .last_packet = kStart + 900ms,
                         .rx_packets = 3,
                         .tx_packets = 4,
                         .rx_bytes = 412,
                         .tx_bytes = 388};
    return record;
}
/// What is wrong with the closed record once `key` has that value; null takes the member away.
std::string problem(std::string_view key, const json::value& value) {
    auto object = json::parse(encode_flow_record(closed_record())).as_object();
    if (value.is_null()) {
        object.erase(json::string_view{key.data(), key.size()});
    } else {
        object[json::string_view{key.data(), key.size()}] = value;
    }
    const auto decoded = decode_flow_record(object);
    return decoded ? "" : decoded.error();
}

TEST(FlowRecord, IsWrittenAsTheSpecificationShows) {
    EXPECT_EQ(encode_flow_record(open_record()),
              R"({"protocol":"tcp","inner_src_ip":"100.71.20.9","inner_src_port":51514,"inner_dst_ip":"100.96.0.3",)"
              R"("inner_dst_port":443,"domain":"git.corp.example","outers":[{"src_ip":"10.99.0.2","src_port":52625,)"
              R"("dst_ip":"198.51.100.40","dst_port":52625,"path_activated_at":"2026-08-22T10:15:02.104Z"}],)"
              R"("flow_start":"2026-08-22T10:15:03.220Z"})");
    EXPECT_EQ(encode_flow_batch({"1", "2"}), R"({"flow_logs":[1,2]})");
    EXPECT_EQ(encode_flow_batch({}), R"({"flow_logs":[]})");
}

TEST(FlowRecord, IsReadAsItWasWritten) {
    for (const auto& record : {open_record(), closed_record()}) {
        EXPECT_EQ(decode_flow_record(json::parse(encode_flow_record(record))), record);
    }
}

TEST(FlowRecord, NamesWhatIsMissing) {
    for (const auto* key :
         {"protocol", "inner_src_ip", "inner_src_port", "inner_dst_ip", "inner_dst_port", "flow_start", "last_packet",
          "rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "flow_end"}) {
        EXPECT_EQ(problem(key, nullptr).find(key), 0U) << key << ": " << problem(key, nullptr);
    }
    EXPECT_EQ(problem("outers", nullptr), "outers: a flow that has ended had a path");
    EXPECT_EQ(problem("domain", nullptr), "") << "is for names only";
}

TEST(FlowRecord, RefusesWrongValues) {
    EXPECT_EQ(problem("protocol", json::value("icmp")), "protocol: expected tcp or udp");
    EXPECT_EQ(problem("inner_src_ip", json::value("host.example")), "inner_src_ip: expected an IP address");
    EXPECT_EQ(problem("inner_dst_port", json::value(65536)), "inner_dst_port: expected a port");
    EXPECT_EQ(problem("inner_dst_port", json::value(-1)), "inner_dst_port: expected a number that is not negative");
    EXPECT_EQ(problem("rx_bytes", json::value("1")), "rx_bytes: expected a number that is not negative");
    EXPECT_EQ(problem("tx_bytes", json::value(std::uint64_t{1} << 63U)),
              "tx_bytes: expected a number that is not negative");
    EXPECT_EQ(problem("flow_start", json::value("yesterday")), "flow_start: expected a time of RFC 3339");
    EXPECT_EQ(problem("domain", json::value(std::string(256, 'a'))), "domain: too long");
    EXPECT_FALSE(decode_flow_record(json::value("text")));
}

TEST(FlowRecord, RefusesMorePathsThanARecordHas) {
    auto record = closed_record();
    record.outers.assign(kMaxFlowOuters, record.outers[0]);
    EXPECT_TRUE(decode_flow_record(json::parse(encode_flow_record(record))));
    record.outers.push_back(record.outers[0]);
    EXPECT_FALSE(decode_flow_record(json::parse(encode_flow_record(record))));
}

TEST(FlowRecord, APathHasBothHalvesOfItsSourceOrNone) {
    auto object = json::parse(encode_flow_record(open_record())).as_object();
    object["outers"].as_array()[0].as_object().erase("src_port");
    EXPECT_FALSE(decode_flow_record(object));
    object["outers"].as_array()[0].as_object().erase("src_ip");
    EXPECT_TRUE(decode_flow_record(object));
}

}  // namespace
}  // namespace culvert::portal_api
