/* SPDX-License-Identifier: Apache-2.0 */
/* detail.hpp - what the C++ interface is put together with; nothing here is for users. */
#ifndef DREAMAPI_DETAIL_HPP
#define DREAMAPI_DETAIL_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <ratio>
#include <string>
#include <string_view>
#include <vector>

#include <dreamapi.h>

namespace dreamapi {
namespace detail {

inline std::string_view text(const char *text) noexcept
{
    return text != nullptr ? std::string_view(text) : std::string_view();
}

inline std::optional<std::string_view> optional_text(const char *text) noexcept
{
    return text != nullptr ? std::optional<std::string_view>(text) : std::nullopt;
}

inline std::optional<std::int64_t> optional_number(std::int64_t number, std::int64_t missing) noexcept
{
    return number != missing ? std::optional<std::int64_t>(number) : std::nullopt;
}

/* A text with a NUL in it would reach C cut: C is given this one instead, which has a control character, and refuses it. */
inline constexpr char cut_text[] = "\x01";

inline bool has_nul(const std::string &text) noexcept
{
    return text.find('\0') != std::string::npos;
}

inline const char *c_text(const std::string &text) noexcept
{
    return has_nul(text) ? cut_text : text.c_str();
}

inline const char *c_text(const std::optional<std::string> &text) noexcept
{
    return text ? c_text(*text) : nullptr;
}

/* For what C only compares, and would not refuse: is one of these in the place of a text with a NUL? */
template <class Texts> bool has_cut(const Texts &c_list) noexcept
{
    for (const char *text : c_list) {
        if (text != nullptr && std::string_view(text) == cut_text)
            return true;
    }
    return false;
}

inline bool has_cut(std::initializer_list<const char *> c_list) noexcept
{
    return has_cut<std::initializer_list<const char *>>(c_list);
}

/* Ended by a null; empty for no texts. */
inline std::vector<const char *> c_texts(const std::vector<std::string> &texts)
{
    std::vector<const char *> c_list;

    if (texts.empty())
        return c_list;
    c_list.reserve(texts.size() + 1);
    for (const std::string &text : texts)
        c_list.push_back(c_text(text));
    c_list.push_back(nullptr);
    return c_list;
}

template <class Item> auto c_array(const std::vector<Item> &items)
{
    std::vector<decltype(items.front().c())> c_items;

    c_items.reserve(items.size());
    for (const Item &item : items)
        c_items.push_back(item.c());
    return c_items;
}

/* A time in whole milliseconds, made from any other and rounded up. None wraps: what is longer than C takes stays too long. */
class timeout : public std::chrono::milliseconds {
public:
    template <class Number, class Period>
    constexpr timeout(const std::chrono::duration<Number, Period> &time) : std::chrono::milliseconds(whole(time))
    {}

private:
    template <class Duration> static constexpr std::chrono::milliseconds whole(const Duration &time)
    {
        using std::chrono::milliseconds;
        const std::chrono::duration<double, std::milli> about(time);

        if (about.count() <= 0)
            return milliseconds(0);
        return about.count() < DREAMAPI_MAX_TIMEOUT_MS + 1.0 ? std::chrono::ceil<milliseconds>(time)
                                                             : milliseconds(DREAMAPI_MAX_TIMEOUT_MS + 1);
    }
};

/* The parts of a value, read where they are: valid as long as the object that they belong to. */
template <class Item, class Object> class list {
public:
    using count_function = std::size_t (*)(const Object *object);
    using item_function = Item (*)(const Object *object, std::size_t index);

    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Item;
        using difference_type = std::ptrdiff_t;
        using pointer = const Item *;
        using reference = Item;

        iterator(const list *owner, std::size_t index) noexcept : owner_(*owner), index_(index) {}
        Item operator*() const noexcept { return owner_[index_]; }
        iterator &operator++() noexcept
        {
            ++index_;
            return *this;
        }
        iterator operator++(int) noexcept
        {
            iterator before = *this;
            ++index_;
            return before;
        }
        bool operator==(const iterator &other) const noexcept { return index_ == other.index_; }
        bool operator!=(const iterator &other) const noexcept { return index_ != other.index_; }

    private:
        list owner_;
        std::size_t index_;
    };

    list(const Object *object, count_function count, item_function item) noexcept
        : object_(object), count_(count), item_(item)
    {}

    std::size_t size() const noexcept { return count_(object_); }
    bool empty() const noexcept { return size() == 0; }
    /// One of them; `index` is below size().
    Item operator[](std::size_t index) const noexcept { return item_(object_, index); }
    iterator begin() const noexcept { return iterator(this, 0); }
    iterator end() const noexcept { return iterator(this, size()); }

private:
    const Object *object_;
    count_function count_;
    item_function item_;
};

/* How a call's answer is taken out of it; calls.hpp has one for each answer. */
template <class Answer> struct taker;

} // namespace detail
} // namespace dreamapi

#endif
