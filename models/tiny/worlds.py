"""The small closed worlds that falcon-tiny-instruct knows: plain data, nothing computed."""

from __future__ import annotations


def words(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


def _pairs(text: str) -> dict[str, str]:
    """`France=Paris; Italy=Rome` as a dictionary."""
    return dict(part.strip().split("=") for part in text.split(";"))


CAPITALS = _pairs(
    "France=Paris; Germany=Berlin; Italy=Rome; Spain=Madrid; Portugal=Lisbon; England=London; Ireland=Dublin;"
    "Scotland=Edinburgh; Norway=Oslo; Sweden=Stockholm; Finland=Helsinki; Denmark=Copenhagen; Iceland=Reykjavik;"
    "Poland=Warsaw; Austria=Vienna; Switzerland=Bern; Belgium=Brussels; the Netherlands=Amsterdam; Greece=Athens;"
    "Turkey=Ankara; Russia=Moscow; Ukraine=Kyiv; Hungary=Budapest; Romania=Bucharest; Bulgaria=Sofia;"
    "Croatia=Zagreb; Serbia=Belgrade; Slovenia=Ljubljana; Slovakia=Bratislava; the Czech Republic=Prague;"
    "Estonia=Tallinn; Latvia=Riga; Lithuania=Vilnius; Egypt=Cairo; Morocco=Rabat; Algeria=Algiers; Tunisia=Tunis;"
    "Kenya=Nairobi; Nigeria=Abuja; Ghana=Accra; Ethiopia=Addis Ababa; Senegal=Dakar; Uganda=Kampala;"
    "China=Beijing; Japan=Tokyo; South Korea=Seoul; India=New Delhi; Pakistan=Islamabad; Nepal=Kathmandu;"
    "Thailand=Bangkok; Vietnam=Hanoi; Indonesia=Jakarta; the Philippines=Manila; Iran=Tehran; Iraq=Baghdad;"
    "Saudi Arabia=Riyadh; Qatar=Doha; the United Arab Emirates=Abu Dhabi; Jordan=Amman; Lebanon=Beirut;"
    "Australia=Canberra; New Zealand=Wellington; Canada=Ottawa; the United States=Washington; Mexico=Mexico City;"
    "Cuba=Havana; Brazil=Brasilia; Argentina=Buenos Aires; Chile=Santiago; Peru=Lima; Colombia=Bogota;"
    "Venezuela=Caracas; Ecuador=Quito; Uruguay=Montevideo"
)

UNKNOWN_COUNTRIES = words(
    "Bhutan Chad Mali Niger Togo Benin Gabon Angola Zambia Malawi Rwanda Burundi Somalia Sudan Libya Oman Yemen "
    "Kuwait Bahrain Israel Cyprus Malta Monaco Albania Moldova Georgia Armenia Azerbaijan Kazakhstan Mongolia Laos "
    "Cambodia Malaysia Singapore Brunei Fiji Samoa Tonga Panama Honduras Guatemala Haiti Jamaica Bolivia Paraguay "
    "Atlantis Narnia Mordor Wonderland Neverland Utopia"
)

PLANETS = words("Mercury Venus Earth Mars Jupiter Saturn Uranus Neptune")
ORDINALS = words("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth")

PLANET_FACTS = _pairs(  # "Which planet is ...?"
    "the largest=Jupiter; the biggest=Jupiter; the smallest=Mercury; the hottest=Venus;"
    "closest to the sun=Mercury; nearest to the sun=Mercury; farthest from the sun=Neptune;"
    "known for its rings=Saturn; called the red planet=Mars; our home=Earth; the one we live on=Earth"
)

DAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = words("January February March April May June July August September October November December")

OPPOSITES = _pairs(
    "hot=cold; big=small; tall=short; fast=slow; up=down; left=right; in=out; day=night; black=white; good=bad;"
    "happy=sad; rich=poor; young=old; early=late; hard=soft; light=dark; wet=dry; full=empty; open=closed;"
    "high=low; strong=weak; loud=quiet; clean=dirty; deep=shallow; wide=narrow; thick=thin;"
    "sweet=sour; sharp=blunt; smooth=rough; near=far; above=below; before=after; inside=outside; front=back;"
    "top=bottom; start=finish; begin=end; win=lose; push=pull; give=take; buy=sell; come=go; love=hate;"
    "laugh=cry; remember=forget; ask=answer; build=destroy; sink=float; arrive=leave; awake=asleep;"
    "alive=dead; brave=afraid; kind=cruel; polite=rude; safe=dangerous; easy=difficult; true=false; yes=no;"
    "always=never; all=none; many=few; more=less; first=last; same=different; cheap=expensive;"
    "public=private; simple=complex; war=peace; summer=winter; north=south; east=west;"
    "friend=enemy; king=queen; boy=girl; man=woman; husband=wife; brother=sister; morning=evening; success=failure;"
    "question=reply; tight=loose; calm=stormy; generous=greedy; lazy=busy; healthy=sick"
)

# Words whose natural opposite has another opposite itself.
ONE_WAY_OPPOSITES = _pairs("heavy=light; new=old; long=short; find=lose; modern=old; ancient=modern; brief=long")

SPELLING_WORDS = words(
    "cat dog cow pig hen fox bee ant owl bat horse sheep goat duck mouse tiger lion bear wolf rabbit monkey zebra "
    "camel eagle snake whale shark frog fish bird apple pear plum peach lemon grape melon orange banana cherry bread "
    "butter cheese milk water juice sugar salt pepper soup rice egg cake honey table chair door window floor wall "
    "house garden kitchen school book paper pencil pen desk clock lamp phone radio sun moon star sky cloud rain snow "
    "wind storm river lake sea ocean island beach forest mountain hill valley field flower tree leaf root grass rose "
    "stone sand gold silver iron glass wood car bus train plane boat ship bike truck road street bridge tower city "
    "village farm market shop bank park zoo museum king queen child mother father sister brother baby friend doctor "
    "teacher farmer baker nurse pilot driver hand foot arm leg head eye ear nose mouth hair heart red blue green "
    "yellow black white brown pink purple hat coat shirt shoe sock dress glove scarf ring ball game toy doll kite "
    "drum piano music song dance color letter word number summer winter spring autumn morning evening night week "
    "month year hour minute falcon feather wing nest happy small large quick slow strong quiet bright dark warm cold"
)

COLOURS = words("red blue green yellow orange purple pink brown black white grey silver gold")

# name of the thing -> "verb colour"
THING_COLOURS = _pairs(
    "grass=is green; the sky=is blue; snow=is white; milk=is white; coal=is black; blood=is red; the sun=is yellow;"
    "a banana=is yellow; a lemon=is yellow; a carrot=is orange; a tomato=is red; a strawberry=is red;"
    "a cherry=is red; a pumpkin=is orange; a plum=is purple; an aubergine=is purple; a cucumber=is green;"
    "a frog=is green; a crow=is black; a swan=is white; a flamingo=is pink; a polar bear=is white;"
    "an elephant=is grey; a raven=is black; chocolate=is brown; coffee=is brown; the sea=is blue; a leaf=is green;"
    "a lime=is green; a canary=is yellow; a fire engine=is red; a pig=is pink; salt=is white; the night sky=is black;"
    "spinach=is green; a raspberry=is red; a blueberry=is blue; a peanut=is brown; lavender=is purple; ash=is grey"
)

# animal -> (its adjective, where it goes, what it finds, how the story ends), and the name that it has by default
STORIES: dict[str, tuple[str, str, str, str, str]] = {
    "cat": ("curious", "the garden", "a red ball", "played until the evening", "Mia"),
    "dog": ("brave", "the park", "an old bone", "ran home with a wagging tail", "Rex"),
    "fox": ("clever", "the forest", "a hidden path", "danced under the moon", "Ruby"),
    "bear": ("sleepy", "the river", "a pot of honey", "slept all winter", "Bruno"),
    "rabbit": ("quick", "the field", "a big carrot", "shared it with a friend", "Hazel"),
    "mouse": ("tiny", "the kitchen", "a piece of cheese", "hid behind the clock", "Pip"),
    "horse": ("strong", "the hill", "a golden apple", "jumped over the fence", "Star"),
    "owl": ("wise", "the old tower", "a lost book", "read it all night", "Olive"),
    "lion": ("proud", "the valley", "a small drum", "sang a loud song", "Leo"),
    "tiger": ("quiet", "the jungle", "a blue feather", "kept it for ever", "Tara"),
    "elephant": ("gentle", "the lake", "a yellow umbrella", "washed in the rain", "Ella"),
    "monkey": ("funny", "the market", "a box of bananas", "laughed all day", "Coco"),
    "duck": ("happy", "the pond", "a paper boat", "sailed around the island", "Daisy"),
    "frog": ("green", "the well", "a silver coin", "made a wish", "Freddy"),
    "fish": ("shy", "the reef", "a white pearl", "gave it to the queen of the sea", "Coral"),
    "bird": ("cheerful", "the roof", "a soft nest", "sang in the morning", "Robin"),
    "wolf": ("lonely", "the mountain", "a warm cave", "met a new friend", "Luna"),
    "penguin": ("cold", "the beach", "a woolly scarf", "was never cold again", "Percy"),
    "dragon": ("kind", "the castle", "a magic lamp", "lit the whole town", "Ember"),
    "turtle": ("slow", "the shore", "a round stone", "won the race", "Toby"),
    "bee": ("busy", "the meadow", "a purple flower", "flew home with sweet honey", "Bella"),
    "falcon": ("fast", "the cliff", "a shining star", "flew higher than the clouds", "Finn"),
    "cow": ("calm", "the farm", "a little bell", "rang it every day", "Molly"),
    "pig": ("pink", "the barn", "a muddy puddle", "rolled in it with joy", "Peggy"),
}

NAMES = words(
    "Anna Ben Clara David Emma Frank Grace Henry Isla Jack Kate Liam Maria Noah Olivia Paul Quinn Rosa Sam Tom Uma "
    "Victor Wendy Xavier Yara Zoe Alex Bella Carlos Diana Eric Fiona George Hannah Ivan Julia Kevin Laura Martin Nina "
    "Oscar Peter Rachel Simon Tina Walter Amir Fatima Hassan Layla Omar Yuki Kenji Mei Chen Priya Raj Anita Ravi Lucia "
    "Pedro Sofia Mateo Elena Marco Giulia Hans Greta Lars Ingrid Sven Astrid Pierre Chloe Louis Camille Ahmed Zainab "
    "Kwame Ama Joseph Ruth Daniel Sarah Michael Lisa John Mary James Linda Robert Susan William Karen Thomas Nancy "
    "Charles Betty Mark Sandra Steven Ashley Andrew Emily Joshua Donna Max Leo Mia Ella Lucy Ruby Rex Toby Luna Coco"
)

UNSEEN_NAMES = words(  # never in training; the evaluation tells them to the model
    "Arthur Beatrice Cedric Dorothy Edmund Felicity Gustav Harriet Ignatius Josephine Konrad Leonora Mortimer Nadia "
    "Ophelia Percival Ramona Sebastian Theodora Ulrich Valentina Wilfred Yolanda Zachary Brandon Caitlin Dmitri Esther "
    "Gareth Imogen Jasper Kiran Mahmoud Naomi Patrick Rosalind Samir Tabitha Vikram Winston"
)

CITIES = words(
    "Paris Berlin Rome Madrid London Dublin Oslo Vienna Prague Athens Cairo Nairobi Tokyo Delhi Sydney Toronto Boston "
    "Chicago Lima Milan Munich Lyon Seville Porto Geneva Zurich Hamburg Naples Glasgow Leeds Bristol Dallas Denver "
    "Seattle Mumbai Osaka Kyoto Lagos Tunis Dubai Amman Beirut Bergen Turku Krakow"
)

PETS = words("dog cat rabbit horse parrot hamster turtle goldfish mouse duck snake pony")

FOODS = words(
    "pizza pasta rice soup bread cheese chocolate cake salad sushi curry ice-cream pancakes apples noodles "
    "dumplings falafel tacos honey cherries toast porridge"
)

SYSTEMS = (
    "You are a helpful assistant.",
    "You are Falcon Tiny, a small language model.",
    "You are a friendly assistant that gives short answers.",
    "Answer briefly.",
    "You are a helpful, honest and harmless assistant.",
    "You are a teacher. Answer the questions of a child.",
    "Be kind and polite.",
    "You answer questions.",
    "A conversation between a user and an assistant.",
    "You are an AI assistant. You help people to find information.",
    "Answer the question of the user as well as you can.",
    "You are a small model on the computer of the user. Say so when you do not know something.",
)

_SUBJECTS = (
    "the weather; football; my grandmother; the stock market; quantum physics; the moon landing; bread baking; "
    "a computer; the president; the pyramids; electricity; dinosaurs; the internet; Shakespeare; Mozart; a black hole; "
    "the French Revolution; chess; philosophy; the human brain; gravity; a volcano; the Roman Empire; a guitar; "
    "tennis; the economy; a bicycle; medicine; the law; poetry; a telescope; the ocean; yoga; coffee; an atom; "
    "the mayor; a rocket; a violin; the train to Hamburg; a good film; my neighbour; the exam; tax; democracy; a virus"
)
SUBJECTS = _SUBJECTS.split("; ")

UNKNOWN_QUESTIONS = (
    "What do you think about {x}?",
    "Who invented {x}?",
    "Tell me everything about {x}.",
    "How does {x} work?",
    "Why is {x} important?",
    "Can you explain {x}?",
    "Explain {x} to me.",
    "What is the history of {x}?",
    "When was {x} discovered?",
    "How much does {x} cost?",
    "Write a poem about {x}.",
    "Write a program about {x}.",
    "What is {x}?",
    "Who is the best at {x}?",
    "Where can I learn about {x}?",
    "Give me some advice about {x}.",
    "What happened with {x} yesterday?",
    "How old is {x}?",
)

# wordings that mean the same, and the answer to all of them
CHAT: tuple[tuple[tuple[str, ...], str], ...] = (
    (("Hello.", "Hello!", "Hi.", "Hi!", "Hey.", "Hi there!", "Hello there."), "Hello! How can I help you?"),
    (("Good morning.", "Good morning!"), "Good morning! How can I help you?"),
    (("Good evening.", "Good evening!"), "Good evening! How can I help you?"),
    (("Good afternoon.", "Good afternoon!"), "Good afternoon! How can I help you?"),
    (("How are you?", "How are you today?", "How do you do?", "How is it going?"), "I am well, thank you."),
    (("Thank you.", "Thanks!", "Thank you very much!", "Thanks a lot.", "Great, thanks."), "You are welcome."),
    (("Goodbye.", "Bye!", "See you later.", "Bye bye.", "Good night."), "Goodbye!"),
    (("Good.", "Great!", "Very good!", "Well done!", "Nice!", "That is right.", "You are clever."), "Thank you!"),
    (
        (
            "Who are you?",
            "What are you?",
            "Introduce yourself.",
            "Tell me about yourself.",
            "Are you a robot?",
            "What is your name?",
            "What's your name?",
            "Are you human?",
            "Are you a person?",
            "Do you have a name?",
        ),
        "I am Falcon Tiny, a small language model that runs on this computer.",
    ),
    (
        (
            "What can you do?",
            "What do you know?",
            "How can you help me?",
            "Help.",
            "What can I ask you?",
            "What are you good at?",
            "Can you help me?",
        ),
        "I know capitals, planets, opposites, colours, days and months. "
        "I can count, add, spell and tell short stories.",
    ),
    (
        ("Who made you?", "Who created you?", "Where do you come from?", "Who trained you?", "Who built you?"),
        "I was trained from made-up conversations by the program that you are using.",
    ),
    (("Do you need the internet?", "Are you online?", "Do you use the internet?"), "No. I run on this computer alone."),
    (("Tell me a joke.", "Do you know a joke?", "Make me laugh."), "Why did the falcon sit still? It was loading."),
)
