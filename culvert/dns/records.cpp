// The only file that knows ldns. It knows which types have names in their data that may be compressed, and what the
// data of each looks like.

#include "culvert/dns/records.h"

#include <memory>

#include <ldns/ldns.h>

namespace culvert::dns {

namespace {

using OwnedRecord = std::unique_ptr<ldns_rr, decltype(&ldns_rr_free)>;

ByteSpan bytes_of(const ldns_rdf* field) {
    return {reinterpret_cast<const std::byte*>(ldns_rdf_data(field)), ldns_rdf_size(field)};
}

std::optional<Record> to_record(const ldns_rr* raw) {
    std::size_t at = 0;
    auto owner = Name::read(bytes_of(ldns_rr_owner(raw)), at);
    if (!owner) {
        return std::nullopt;
    }
    Record record{.owner = std::move(*owner),
                  .type = static_cast<RecordType>(ldns_rr_get_type(raw)),
                  .record_class = static_cast<std::uint16_t>(ldns_rr_get_class(raw)),
                  .ttl = ldns_rr_ttl(raw)};
    for (std::size_t i = 0; i < ldns_rr_rd_count(raw); ++i) {
        if (const auto* field = ldns_rr_rdf(raw, i); field != nullptr) {
            append(record.data, bytes_of(field));
        }
    }
    return record.data.size() <= UINT16_MAX ? std::optional{std::move(record)} : std::nullopt;
}

}  // namespace

std::optional<std::vector<Record>> read_answers(const Message& response) {
    if (response.answer_count() > kMaxAnswersRead) {
        return std::nullopt;
    }
    const auto* wire = reinterpret_cast<const std::uint8_t*>(response.bytes().data());
    auto at = response.question_end();
    std::vector<Record> records;
    for (unsigned i = 0; i < response.answer_count(); ++i) {
        ldns_rr* raw = nullptr;
        if (ldns_wire2rr(&raw, wire, response.bytes().size(), &at, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK) {
            return std::nullopt;
        }
        const OwnedRecord owned{raw, &ldns_rr_free};
        auto record = to_record(raw);
        if (!record) {
            return std::nullopt;
        }
        records.push_back(std::move(*record));
    }
    return records;
}

}  // namespace culvert::dns
