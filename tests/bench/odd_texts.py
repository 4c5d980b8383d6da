"""odd_texts.py: texts that a model of English sentences seldom saw, for local_bench.py.

ODD is a list of them: other alphabets, emoji, code, numbers, long and made-up words, lists, marks
alone, one word, one letter, and texts cut off or said again and again. Some are made of the others
by a rule, none by chance.
"""
SENTENCES = """Der Nachtzug nach Lissabon hält nicht in Straßburg.
Où est passée la clé de l'armoire du salon ?
El murciélago volaba sobre la niña que comía jalapeños.
Il gatto nero dorme sul tetto della chiesa di città.
Żółta łódź płynie po rzece, a źrebię śpi.
Příliš žluťoučký kůň úpěl ďábelské ódy.
Árvíztűrő tükörfúrógép.
Blåbærsyltetøy på brødskive til frokost
Pijamalı hasta yağız şoföre çabucak güvendi.
Съешь ещё этих мягких французских булок, да выпей чаю.
Чуєш їх, доцю, га? Кумедна ж ти, прощайся без ґольфів!
Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.
דג סקרן שט בים מאוכזב ולפתע מצא חברה
نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر
एक बार की बात है, एक राजा रहता था।
বাংলা ভাষায় লেখা একটি ছোট বাক্য
தமிழ் மொழியில் ஒரு சிறிய வாக்கியம்
เป็นมนุษย์สุดประเสริฐเลิศคุณค่า
いろはにほへと ちりぬるを
吾輩は猫である。名前はまだ無い。
我能吞下玻璃而不伤身体。
滾滾長江東逝水,浪花淘盡英雄
다람쥐 헌 쳇바퀴에 타고파
Con sói bước vào rừng tìm quả mọng
ქართული ენა ძალიან ლამაზია
Հայոց լեզուն հնագույն է
ሰላም ለዓለም
Kæmi ný öxi hér, ykist þjófum nú bæði víl og ádrepa.
Saya suka makan nasi goreng pedas di pasar malam
Mae hen wlad fy nhadau yn annwyl i mi""".split("\n")

PIECES = """a
z
x
I
no
the
of the and to
bats
Bats!
BATS
?
!
.
...
,
-
--
(
)
[]
{}
<>
"
''
*
#
@
&
%
$
/
\\\\
|
~
^
_
=
+
0
1
7
42
-1
3.14159265358979
1e-9
1,000,000
0xDEADBEEF
99.9%
$1,299.00
€ 45,00
12:45:07
1999-12-31T23:59:59Z
+49 30 901820
192.168.0.1
2001:db8::ff00:42:8329
01101000 01101001
I II III IV V VI VII VIII IX X
1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20
2 + 2 = 4
E = mc²
∑ x_i² ≤ ∫ f(x) dx, ∀ε > 0 ∃δ
½ ¾ ⅓ ² ³ ™ © ® § ¶ † ‡
→ ← ↑ ↓ ⇒ ⇔ ∞ ≠ ≈
■ □ ▲ ▼ ◆ ○ ● ★ ☆
😀
😀😀😀😀😀😀😀😀
🦇 super hero 🦇
👨‍👩‍👧‍👦 family
🇩🇪🇫🇷🇯🇵
❤️ love this movie ❤️ 10/10 🔥🔥🔥
:-) ;-) :-( :D xD
¯\\\\_(ツ)_/¯
int main(void) { return 0; }
SELECT title FROM movies WHERE year > 1999 ORDER BY rating DESC LIMIT 5;
def f(x): return [y ** 2 for y in x if y % 2]
for (let i = 0; i < n; i++) { sum += a[i] }
<div class="title"><a href="#top">Top</a></div>
{"id": 17, "tags": ["a", "b"], "ok": null}
#include <stdio.h>
git commit -m "fix: off by one" && git push
rm -rf /tmp/*.log 2>/dev/null || true
Traceback (most recent call last): KeyError: 'title'
std::unordered_map<std::string, std::vector<int>>
^[a-z0-9._%+-]+@[a-z0-9.-]+\\\\.[a-z]{2,}$
https://www.example.org/a/b?c=1&d=%20#e
someone@example.com
C:\\\\Users\\\\me\\\\file (1).txt
/usr/share/doc/README.gz
$\\\\int_0^1 x^2 dx = \\\\frac{1}{3}$
550e8400-e29b-41d4-a716-446655440000
d41d8cd98f00b204e9800998ecf8427e
aGVsbG8gd29ybGQgdGhpcyBpcyBiYXNlNjQ=
ISBN 978-3-16-148410-0
ATGCGTACGTTAGCCTAGGATCCA
H2SO4 + 2 NaOH -> Na2SO4 + 2 H2O
N 52° 31' 12.0288"
Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz
Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft
pneumonoultramicroscopicsilicovolcanoconiosis
antidisestablishmentarianism
floccinaucinihilipilification
Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch
supercalifragilisticexpialidocious
hippopotomonstrosesquippedaliophobia
honorificabilitudinitatibus
qwertyuiopasdfghjklzxcvbnm
asdf jkl; asdf jkl;
xkcd zxqj vfpt bnmw
thsi sentnce haz mny speling erors in it
ThIs Is WrItTeN lIkE tHiS
SHOUTING IN CAPITALS ABOUT NOTHING AT ALL
t h i s i s s p a c e d o u t
l33t h4x0r 5p34k
camelCaseVariableName and snake_case_name and kebab-case-name
eggs, milk, bread, 2 lb of butter, salt; pepper; (optional) basil
Monday Tuesday Wednesday Thursday Friday Saturday Sunday
red green blue yellow black white
Smith, J. (1999). On bats. J. Mammal. 12(3), 45-67. doi:10.1000/xyz
Dr. Mr. Mrs. St. Ave. Inc. Ltd. etc. e.g. i.e.
w/o b/c ASAP FYI TBD IMHO AFAIK
RT @user: omg lol #bats #movie
Buffalo buffalo Buffalo buffalo buffalo buffalo Buffalo buffalo
That that is is that that is not is not is that it it is
Colorless green ideas sleep furiously
'Twas brillig, and the slithy toves did gyre and gimble in the wabe
Lorem ipsum dolor sit amet, consectetur adipiscing elit
Gaius Julius Caesar: Gallia est omnia divisa in partes tres
BUY NOW!!! 50% OFF!!! LIMITED TIME!!!
null
undefined
NaN
None
true
N/A
TODO
untitled
test
test test test test test test test test
[CLS] [SEP] [MASK] [PAD] [UNK]
[UNK]
[MASK] is the capital of France
�����
café naïve façade résumé
ﬁne ﬂow oﬃce
ＦＵＬＬ ｗｉｄｔｈ
Z̷a̷l̷g̷o̷ t̷e̷x̷t̷
a b
one, two
yes and no
not
not not not
why""".replace("\\\\", "\\").split("\n")

MADE = [
    "bats " * 60,
    "no " * 120,
    "a" * 90,
    "ab" * 60,
    "." * 80,
    "! ? " * 40,
    "0 " * 100,
    "9" * 64,
    "😀 " * 50,
    "的" * 40,
    "é" * 40,
    " ".join("abcdefghijklmnopqrstuvwxyz"),
    " ".join(str(number ** 3) for number in range(60)),
    " ".join(f"{number:08b}" for number in range(24)),
    " ".join(word[::-1] for word in "a sentence whose words are read from their ends".split()),
    "".join("a sentence whose words are read from their ends".split()),
    " ".join(SENTENCES[:12]),
    " ".join(SENTENCES[12:]),
    " ".join(PIECES[2:80]),
    "(((((((((( deep ))))))))))",
    "x = " + " + ".join(f"a{i} * b{i}" for i in range(20)),
    "|".join("abcdefgh") + "\n" + "|".join("12345678"),
]

ODD = SENTENCES + PIECES + MADE
