// SPDX-License-Identifier: Apache-2.0
/* main.cpp - a game server in C++17: rooms of players on threads of their own, each ticking at its pace. A match costs a unit of the
 * player's plan, and is given back when it is called off; a chest costs gems, how many is known once it is open; ranked matches are for
 * those on a plan. What players do is thrown by dice with a seed, so that it can be done again.
 *
 *   c++ -std=c++17 main.cpp $(pkg-config --cflags --libs dreamapi) -pthread -o game-server
 *   DREAMAPI_BASE_URL=http://127.0.0.1:8787 DREAMAPI_SECRET_KEY=sk_live_... ./game-server -t 20 -j usage.journal user_1 user_2 */
#include <dreamapi.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <future>
#include <iostream>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

namespace {

using namespace std::chrono_literals;

constexpr std::int64_t chest_gems = 10; // the most that a chest may cost
constexpr auto chest_patience = 1min;   // how long one may stay half open
constexpr const char *ranked_plan = "pro";

struct settings {
    int ticks = 0; // 0: until SIGTERM or SIGINT
    std::chrono::milliseconds tick = 50ms;
    std::size_t rooms = 2;
    unsigned seed = 1;
    std::string journal;
    std::vector<std::string> users;
};

// The one thing that a signal does.
std::atomic<bool> is_over{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may set it");

// One player. Belongs to one room, and so to one thread.
class player {
public:
    player(const dreamapi::client &client, const std::string &user, unsigned seed)
        : user_(user), matches_(client.open_meter(user).value()), dice_(seed)
    {
        dreamapi::meter_params gems;
        gems.meter = "gems";
        gems_ = client.open_meter(user, gems).value();
        // Once, when they come in: an entitlement is a question about the plan, and takes nothing.
        dreamapi::tier_check_params ranked;
        ranked.min_plan = ranked_plan;
        auto verdict = client.tier_check(user, ranked).value();
        plan_ = verdict.plan();
        is_ranked_ = verdict.allowed();
    }

    void tick()
    {
        if (throw_dice(2) == 0)
            play();
        if (throw_dice(4) == 0)
            open_chest();
    }

    // What this player took, for people and for the test that compares it with what the service counted.
    friend std::ostream &operator<<(std::ostream &out, const player &player)
    {
        return out << player.user_ << " (" << player.plan_ << (player.is_ranked_ ? ", ranked" : "") << "): " << player.played_ << " matches, "
                   << player.called_off_ << " called off, " << player.turned_away_ << " turned away; " << player.chests_ << " chests for "
                   << player.spent_ << " gems, " << player.locked_ << " locked";
    }

private:
    // Nanoseconds, while units are at hand; the first one asks the service.
    void play()
    {
        auto seat = matches_.use();
        if (!seat) {
            turned_away_++; // seat.reason() says if a larger plan helps
            return;
        }
        // Nobody else came: the match does not take place, and the unit goes back.
        if (throw_dice(8) == 0 && matches_.refund(seat))
            called_off_++;
        else
            played_++;
    }

    // The price is known only afterwards, and may not be more than the player has.
    void open_chest()
    {
        auto purse = gems_.reserve(chest_gems, chest_patience);
        if (!purse) {
            locked_++;
            return;
        }
        const int price = throw_dice(chest_gems + 1);
        if (price == 0) // empty: a reservation that is let go of bills nothing
            return;
        if (purse->commit(price)) {
            chests_++;
            spent_ += price;
        }
    }

    // std::uniform_int_distribution throws otherwise in each standard library.
    int throw_dice(std::int64_t sides) { return static_cast<int>(dice_() % static_cast<unsigned>(sides)); }

    std::string user_;
    std::string plan_;
    bool is_ranked_ = false;
    dreamapi::meter matches_;
    dreamapi::meter gems_;
    std::mt19937 dice_;
    std::int64_t played_ = 0, called_off_ = 0, turned_away_ = 0, chests_ = 0, spent_ = 0, locked_ = 0;
};

using players = std::vector<player>; // of one room

void run(players &room, const settings &settings)
{
    auto next = std::chrono::steady_clock::now();
    for (int tick = 0; (settings.ticks == 0 || tick < settings.ticks) && !is_over; tick++) {
        for (auto &player : room)
            player.tick();
        std::this_thread::sleep_until(next += settings.tick);
    }
}

void play(const dreamapi::client &client, const settings &settings)
{
    std::vector<players> rooms(settings.rooms);
    for (std::size_t i = 0; i < settings.users.size(); i++)
        rooms[i % rooms.size()].emplace_back(client, settings.users[i], settings.seed + static_cast<unsigned>(i));
    std::vector<std::future<void>> running;
    for (auto &room : rooms)
        running.push_back(std::async(std::launch::async, run, std::ref(room), std::cref(settings)));
    for (auto &one : running)
        one.get();
    for (const auto &room : rooms)
        for (const auto &player : room)
            std::cout << player << '\n';
}

// Counts are reported, and what is left of leases handed back, before the program says that all is well.
void settle(const dreamapi::client &client)
{
    client.flush(5s).value();
    std::cout << "settled in " << client.meter_stats().value().requests << " requests\n";
}

long long number(const char *text, long long least, long long most)
{
    std::size_t size = 0;
    const long long value = std::stoll(text, &size);
    if (text[size] != '\0' || value < least || value > most)
        throw std::out_of_range(text);
    return value;
}

bool read_settings(int argc, char **argv, settings &out)
try {
    for (int option; (option = getopt(argc, argv, "t:m:r:s:j:")) != -1;) {
        switch (option) {
        case 't': out.ticks = static_cast<int>(number(optarg, 0, 1000000000)); break;
        case 'm': out.tick = std::chrono::milliseconds(number(optarg, 0, 60000)); break;
        case 'r': out.rooms = static_cast<std::size_t>(number(optarg, 1, 256)); break;
        case 's': out.seed = static_cast<unsigned>(number(optarg, 0, 4294967295)); break;
        case 'j': out.journal = optarg; break;
        default: return false;
        }
    }
    out.users.assign(argv + optind, argv + argc);
    return !out.users.empty();
} catch (const std::logic_error &) { // no number, or none in its range
    return false;
}

} // namespace

int main(int argc, char **argv)
{
    settings settings;
    if (!read_settings(argc, argv, settings)) {
        std::cerr << "usage: " << argv[0] << " [-t TICKS] [-m MILLISECONDS] [-r ROOMS] [-s SEED] [-j JOURNAL] USER...\n"
                  << "  (with DREAMAPI_BASE_URL and DREAMAPI_SECRET_KEY set; without -t it plays until it is told to end)\n";
        return 2;
    }
    std::signal(SIGTERM, [](int) { is_over = true; });
    std::signal(SIGINT, [](int) { is_over = true; });
    try {
        auto options = dreamapi::options();
        if (!settings.journal.empty())
            options.journal(settings.journal);
        const auto client = dreamapi::client::make(options).value();
        play(client, settings);
        settle(client);
    } catch (const dreamapi::failure &failure) {
        std::cerr << dreamapi::name(failure.code()) << ": " << failure.what() << '\n';
        return EXIT_FAILURE;
    }
}
