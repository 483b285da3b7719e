#include "tests/model/scenario/values.h"

#include "tests/model/scenario/line.h"

namespace culvert::model {

namespace {

// The text before and after the first `separator`.
std::optional<std::pair<std::string_view, std::string_view>> split(std::string_view text, char separator) {
    const auto at = text.find(separator);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    return std::pair{text.substr(0, at), text.substr(at + 1)};
}

}  // namespace

void Text<milliseconds>::write(std::string& out, milliseconds value) {
    const bool is_whole = value.count() != 0 && value.count() % 1000 == 0;
    out += is_whole ? std::to_string(value.count() / 1000) + "s" : std::to_string(value.count()) + "ms";
}

std::optional<milliseconds> Text<milliseconds>::read(std::string_view text) {
    const bool is_milli = text.ends_with("ms");
    if (!text.ends_with('s')) {
        return std::nullopt;
    }
    text.remove_suffix(is_milli ? 2 : 1);
    // 32 bits are 49 days of milliseconds, or 136 years.
    const auto count = Text<std::uint32_t>::read(text);
    if (!count) {
        return std::nullopt;
    }
    return is_milli ? milliseconds{*count} : milliseconds{seconds{*count}};
}

std::optional<seconds> Text<seconds>::read(std::string_view text) {
    const auto value = Text<milliseconds>::read(text);
    if (!value || value->count() % 1000 != 0) {
        return std::nullopt;
    }
    return std::chrono::duration_cast<seconds>(*value);
}

void Text<portal_api::Filter>::write(std::string& out, const portal_api::Filter& value) {
    Text<portal_api::FilterProtocol>::write(out, value.protocol);
    const portal_api::Filter all_ports{.protocol = value.protocol};
    if (value == all_ports) {
        return;
    }
    out += ':';
    out += std::to_string(value.port_range_start);
    if (value.port_range_end != value.port_range_start) {
        out += '-';
        out += std::to_string(value.port_range_end);
    }
}

std::optional<portal_api::Filter> Text<portal_api::Filter>::read(std::string_view text) {
    const auto ports = split(text, ':');
    const auto protocol = Text<portal_api::FilterProtocol>::read(ports ? ports->first : text);
    if (!protocol) {
        return std::nullopt;
    }
    if (!ports) {
        return portal_api::Filter{.protocol = *protocol};
    }
    const auto range = split(ports->second, '-');
    const auto first = Text<std::uint16_t>::read(range ? range->first : ports->second);
    const auto last = Text<std::uint16_t>::read(range ? range->second : ports->second);
    if (!first || !last) {
        return std::nullopt;
    }
    return portal_api::Filter{*protocol, *first, *last};
}

void Text<HostOf>::write(std::string& out, const HostOf& value) {
    Text<ResourceNo>::write(out, value.resource);
    out += ':';
    out += std::to_string(value.host);
}

std::optional<HostOf> Text<HostOf>::read(std::string_view text) {
    const auto parts = split(text, ':');
    const auto resource = parts ? Text<ResourceNo>::read(parts->first) : std::nullopt;
    const auto host = parts ? Text<std::uint32_t>::read(parts->second) : std::nullopt;
    return resource && host ? std::optional{HostOf{*resource, *host}} : std::nullopt;
}

void Text<TunnelOf>::write(std::string& out, const TunnelOf& value) {
    Text<decltype(value.owner)>::write(out, value.owner);
    out += value.is_v6 ? ":v6" : ":v4";
}

std::optional<TunnelOf> Text<TunnelOf>::read(std::string_view text) {
    const bool is_v6 = text.ends_with(":v6");
    if (!is_v6 && !text.ends_with(":v4")) {
        return std::nullopt;
    }
    const auto owner = Text<std::variant<GatewayNo, ClientNo>>::read(text.substr(0, text.size() - 3));
    return owner ? std::optional{TunnelOf{*owner, is_v6}} : std::nullopt;
}

void Text<NatBox>::write(std::string& out, const NatBox& value) {
    std::vector<std::string> words;
    write_fields(words, value);
    for (std::size_t i = 0; i < words.size(); ++i) {
        out += (i == 0 ? "" : ",") + words[i];
    }
}

std::optional<NatBox> Text<NatBox>::read(std::string_view text) {
    std::vector<std::string_view> words;
    for (auto parts = split(text, ','); parts; parts = split(text, ',')) {
        words.push_back(parts->first);
        text = parts->second;
    }
    words.push_back(text);
    NatBox value;
    return read_fields(words, value) ? std::optional{value} : std::nullopt;
}

}  // namespace culvert::model
